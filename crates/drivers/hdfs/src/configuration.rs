//! Hadoop's configuration files: `core-site.xml` and `hdfs-site.xml` of one directory.

use std::{collections::HashMap, fs, io::Read as _, path::Path};
use storage::{Error, ErrorKind, Reach, Result};

const OP: &str = "read Hadoop's configuration";
/// Far more than any real file has; a mistaken path must not fill the memory.
const LARGEST: u64 = 16 << 20;
/// How often a value may name another; Hadoop's own limit (`Configuration.MAX_SUBST`).
const MOST_SUBSTITUTIONS: usize = 20;

/// Settings by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Configuration(HashMap<String, String>);

impl Configuration {
    /// The settings of a directory. At least one of the two files must be there.
    pub fn read(dir: &Path) -> Result<Self> {
        let mut all = HashMap::new();
        let mut found = false;
        for name in ["core-site.xml", "hdfs-site.xml"] {
            let path = dir.join(name);
            let wrong = |why: String| {
                Error::new(ErrorKind::Invalid, OP)
                    .with_reach(Reach::Location)
                    .because(format!("{}: {why}", path.display()))
            };
            let file = match fs::File::open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                file => file.map_err(|error| wrong(error.to_string()))?,
            };
            let mut text = String::new();
            file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
            if text.len() as u64 > LARGEST {
                return Err(wrong("it is larger than 16 MiB".into()));
            }
            all.extend(parse(&text).map_err(wrong)?);
            found = true;
        }
        if !found {
            return Err(Error::new(ErrorKind::NotFound, OP)
                .with_reach(Reach::Location)
                .because(format!("neither core-site.xml nor hdfs-site.xml is in {}", dir.display()))
                .hint("name the directory that holds them, often /etc/hadoop/conf, with `?conf=`"));
        }
        Ok(Self(all))
    }

    /// A value, with `${other}` replaced by the value of `other`. Absent and empty are the same.
    pub fn get(&self, name: &str) -> Option<String> {
        let mut value = self.0.get(name)?.clone();
        for _ in 0..MOST_SUBSTITUTIONS {
            let Some(start) = value.find("${") else { break };
            let Some(len) = value[start..].find('}') else { break };
            // What is not set here may be a Java system property, which we cannot know: it stays as it is.
            let Some(other) = self.0.get(&value[start + 2..start + len]) else { break };
            value.replace_range(start..=start + len, other);
        }
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Values separated by commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let value = self.get(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// Sets a value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Every setting, each with what it names put in.
    pub fn settled(&self) -> HashMap<String, String> {
        self.0.keys().filter_map(|name| Some((name.clone(), self.get(name)?))).collect()
    }
}

fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let tree = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let root = tree.root_element();
    if root.tag_name().name() != "configuration" {
        return Err(format!("the root element is <{}>, not <configuration>", root.tag_name().name()));
    }
    let text_of = |property: roxmltree::Node<'_, '_>, name: &str| {
        let node = property.children().find(|node| node.tag_name().name() == name)?;
        Some(node.text().unwrap_or_default().trim().to_owned())
    };
    let properties = root.children().filter(|node| node.tag_name().name() == "property");
    Ok(properties.filter_map(|p| Some((text_of(p, "name")?, text_of(p, "value")?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_name_each_other_but_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let core = "<configuration><property><name>fs.defaultFS</name><value>hdfs://${ns}</value></property>\
                    <property><name>ns</name><value> lab </value></property><property><name>a</name><value>${a}x</value></property>\
                    <property><name>j</name><value>${user.home}/k</value></property><property><name>e</name><value/></property></configuration>";
        fs::write(dir.path().join("core-site.xml"), core).unwrap();
        let conf = Configuration::read(dir.path()).unwrap();
        assert_eq!(conf.get("fs.defaultFS").as_deref(), Some("hdfs://lab"));
        assert_eq!(conf.get("j").as_deref(), Some("${user.home}/k"));
        assert!(conf.get("a").unwrap().len() < 100);
        assert_eq!(conf.get("e"), None);
    }

    #[test]
    fn mutated_files_do_no_harm() {
        let files = [
            "<?xml version=\"1.0\"?><!-- a comment --><configuration><property><name>a</name><value>${b}/${a}</value>\
             <final>true</final></property><property><name>b</name><value><![CDATA[ <x> ]]></value></property></configuration>",
            "<!DOCTYPE configuration [<!ENTITY e \"eeeeeeeeee\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;\"><!ENTITY g \"&f;&f;&f;&f;&f;\">]>\
             <configuration><property><name>a&g;</name><value>&g;&amp;&#65;</value></property></configuration>",
        ];
        crate::mutations::try_all("configuration", &files, |body| {
            let Ok(all) = std::str::from_utf8(body).map_err(drop).and_then(|text| parse(text).map_err(drop)) else {
                return;
            };
            assert!(Configuration(all.into_iter().collect()).settled().len() < 1000);
        });
        // What refers to itself over and over does not grow without bound, and depth does not end the stack.
        let deep = ["<configuration>", &"<property>".repeat(1 << 20)].concat();
        assert!(parse(&deep).is_err());
        let bomb = (1..40).map(|n| format!("<!ENTITY e{n} \"&e{0};&e{0};\">", n - 1)).collect::<Vec<_>>().concat();
        let bomb = format!("<!DOCTYPE c [<!ENTITY e0 \"e\">{bomb}]><configuration>&e39;</configuration>");
        assert!(parse(&bomb).is_err());
        let chain = (0..19)
            .map(|n| (format!("n{n}"), format!("${{n{0}}}${{n{0}}}", n + 1)))
            .chain([("n19".into(), "x".repeat(1000))]);
        assert!(Configuration(chain.collect()).get("n0").unwrap().len() < 100_000);
    }

    #[test]
    fn a_directory_without_settings_and_a_broken_file_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Configuration::read(dir.path()).unwrap_err().kind(), ErrorKind::NotFound);
        for broken in ["<configuration>", "<x/>", "\u{0}"] {
            fs::write(dir.path().join("hdfs-site.xml"), broken).unwrap();
            assert_eq!(Configuration::read(dir.path()).unwrap_err().kind(), ErrorKind::Invalid, "{broken}");
        }
    }
}
