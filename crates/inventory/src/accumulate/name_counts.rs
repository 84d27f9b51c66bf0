//! What names have about them, counted.

use super::{largest::Examples, length};
use crate::NameFacts;
use model::RelPath;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// [`NameFacts`] on the way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct NameCounts {
    pub longest_path: Option<RelPath>,
    pub longest_component: u32,
    pub longest_link_target: u32,
    pub over_1024_bytes: u64,
    pub not_utf8: u64,
    pub control_characters: u64,
    pub not_windows: u64,
    pub case_twins: u64,
    pub normal_form_twins: u64,
    pub examples: BTreeMap<String, Examples>,
}

impl NameCounts {
    pub(super) fn example(&mut self, what: &str, path: &RelPath) {
        if !self.examples.contains_key(what) {
            self.examples.insert(what.to_owned(), Examples::default());
        }
        if let Some(examples) = self.examples.get_mut(what) {
            examples.offer(path);
        }
    }
    /// Of two that are equally long, the one that sorts first: so the order of directories does not show.
    pub(super) fn offer_longest(&mut self, path: &RelPath) {
        let longer = self
            .longest_path
            .as_ref()
            .is_none_or(|longest| path.len() > longest.len() || (path.len() == longest.len() && path < longest));
        if longer {
            self.longest_path = Some(path.clone());
        }
    }
    pub(super) fn merge(&mut self, other: Self) {
        if let Some(path) = &other.longest_path {
            self.offer_longest(path);
        }
        self.longest_component = self.longest_component.max(other.longest_component);
        self.longest_link_target = self.longest_link_target.max(other.longest_link_target);
        self.over_1024_bytes += other.over_1024_bytes;
        self.not_utf8 += other.not_utf8;
        self.control_characters += other.control_characters;
        self.not_windows += other.not_windows;
        self.case_twins += other.case_twins;
        self.normal_form_twins += other.normal_form_twins;
        for (what, examples) in other.examples {
            self.examples.entry(what).or_default().merge(&examples);
        }
    }
    pub(super) fn into_profile(self) -> NameFacts {
        NameFacts {
            longest_path_bytes: self.longest_path.as_ref().map_or(0, |path| length(path.len())),
            longest_path: self.longest_path,
            longest_component_bytes: self.longest_component,
            longest_link_target_bytes: self.longest_link_target,
            over_1024_bytes: self.over_1024_bytes,
            not_utf8: self.not_utf8,
            control_characters: self.control_characters,
            not_windows: self.not_windows,
            case_twins: self.case_twins,
            normal_form_twins: self.normal_form_twins,
            examples: self.examples.into_iter().map(|(what, paths)| (what, paths.into_paths())).collect(),
        }
    }
}
