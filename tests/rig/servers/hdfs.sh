# Apache HDFS: one NameNode and two DataNodes. What `hdfs_ha` and `hdfs_krb` share is here too.
# Each daemon is also a server of its own (hdfs_nn, hdfs_dn1, ...), so that one alone can be killed, frozen or started.
packages_hdfs="openjdk-17-jre-headless maven curl"
processes_hdfs="hdfs_nn hdfs_dn1 hdfs_dn2"
hadoop=$cache/hadoop

install_hdfs() {
  [[ ! -e $hadoop/complete ]] || return 0
  command -v mvn java >/dev/null || skip "HDFS needs java and mvn"
  say "getting Hadoop's jars (65 MB)"
  mkdir -p "$hadoop/lib"
  (cd "$hadoop" && mvn -B -q -f "$servers/hdfs-pom.xml" dependency:copy-dependencies -DoutputDirectory="$hadoop/lib") >&2 || fail "Maven could not get Hadoop's jars"
  # The daemons want their web pages on the class path, and the jars come without. Empty ones do.
  local page; for page in hdfs datanode journal secondary static; do
    mkdir -p "$hadoop/webapps/$page/WEB-INF"
    echo '<web-app xmlns="http://java.sun.com/xml/ns/javaee" version="2.4"/>' >"$hadoop/webapps/$page/WEB-INF/web.xml"
  done
  touch "$hadoop/complete"
}

# Ports: NameNode RPC base+20 and +21, NameNode HTTP +70 and +71, DataNode N +60+N, its HTTP +40+N, its IPC +50+N.
hdfs_base() { case $1 in hdfs) echo 8000;; hdfs_ha) echo 8100;; hdfs_krb) echo 8200;; esac; }
hdfs_host() { [[ $1 == hdfs_krb ]] && echo localhost || echo 127.0.0.1; }

hdfs_property() { printf '  <property><name>%s</name><value>%s</value></property>\n' "$1" "$2"; }
# The configuration of one cluster, for a daemon (`nn1`, `nn2`, `jn`, `dn1`, `dn2`) or for clients (`client`).
hdfs_configure() { # cluster, role
  local cluster=$1 role=$2 base host state=$rig/$1 conf=$rig/$1/conf-$2
  base=$(hdfs_base "$cluster"); host=$(hdfs_host "$cluster")
  mkdir -p "$conf" "$state/tmp"
  {
    echo '<configuration>'
    if [[ $cluster == hdfs_ha ]]; then hdfs_property fs.defaultFS hdfs://lab
    else hdfs_property fs.defaultFS "hdfs://$host:$((base + 20))"; fi
    hdfs_property hadoop.tmp.dir "$state/tmp"
    hdfs_property ipc.client.connect.max.retries 3
    if [[ $cluster == hdfs ]]; then hdfs_property hadoop.security.key.provider.path "jceks://file$state/keys.jceks"; fi
    if declare -F "properties_$cluster" >/dev/null; then "properties_$cluster" core "$role"; fi
    echo '</configuration>'
  } >"$conf/core-site.xml"
  {
    echo '<configuration>'
    hdfs_property dfs.replication 2
    hdfs_property dfs.namenode.fs-limits.min-block-size 1024
    hdfs_property dfs.namenode.safemode.extension 0
    hdfs_property dfs.heartbeat.interval 1
    hdfs_property dfs.namenode.heartbeat.recheck-interval 5000
    hdfs_property dfs.namenode.datanode.registration.ip-hostname-check false
    hdfs_property dfs.permissions.superusergroup supergroup
    # A crash of the process loses nothing of the page cache, and this machine's disk is slow to flush.
    hdfs_property dfs.namenode.edits.noeditlogchannelflush true
    hdfs_property dfs.datanode.max.transfer.threads 4096
    hdfs_property dfs.datanode.du.reserved 1048576
    hdfs_property dfs.namenode.max-xattrs-per-inode 32
    # A client that closes a file asks again after so long while the DataNodes have not yet reported its last block.
    # 400 ms by default, and nothing here takes that long: it would be nearly all the time that a small file takes.
    hdfs_property dfs.client.block.write.locateFollowingBlock.initial.delay.ms 5
    hdfs_property dfs.client.block.write.locateFollowingBlock.retries 10
    if [[ $cluster != hdfs_ha ]]; then
      hdfs_property dfs.namenode.rpc-address "$host:$((base + 20))"
      hdfs_property dfs.namenode.http-address "$host:$((base + 70))"
      hdfs_property dfs.namenode.name.dir "file://$state/nn1"
    fi
    if declare -F "properties_$cluster" >/dev/null; then "properties_$cluster" hdfs "$role"; fi
    if [[ $role == dn* ]]; then
      local number=${role#dn}
      hdfs_property dfs.datanode.data.dir "file://$state/$role"
      hdfs_property dfs.datanode.address "$host:$((base + 60 + number))"
      hdfs_property dfs.datanode.http.address "$host:$((base + 40 + number))"
      hdfs_property dfs.datanode.ipc.address "$host:$((base + 50 + number))"
      hdfs_property dfs.datanode.hostname "$host"
    fi
    echo '</configuration>'
  } >"$conf/hdfs-site.xml"
  local level=INFO; [[ $role != client ]] || level=WARN
  cat >"$conf/log4j.properties" <<CONF
log4j.rootLogger=$level,C
log4j.appender.C=org.apache.log4j.ConsoleAppender
log4j.appender.C.target=System.err
log4j.appender.C.layout=org.apache.log4j.PatternLayout
log4j.appender.C.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
CONF
}
hdfs_java() { # cluster, role, heap: the words of the command line up to the class
  printf '%s\n' java "-Xmx$3" -XX:+UseSerialGC -Djava.net.preferIPv4Stack=true "-Dhadoop.log.dir=$rig/log" \
    --add-opens=java.base/java.lang=ALL-UNNAMED "-Djava.security.krb5.conf=$rig/krb/krb5.conf" \
    -cp "$rig/$1/conf-$2:$hadoop:$hadoop/lib/*"
}
hdfs_daemon() { # cluster, role, process, heap, class
  local words; mapfile -t words < <(hdfs_java "$1" "$2" "$4")
  hdfs_configure "$1" "$2"
  launch "$3" "${words[@]}" "org.apache.hadoop.hdfs.$5"
}
hdfs_once() { # cluster, role, class, arguments...
  local words cluster=$1 role=$2 class=$3; shift 3
  mapfile -t words < <(hdfs_java "$cluster" "$role" 512m)
  [[ $class == org.* ]] || class=org.apache.hadoop.hdfs.$class
  inside "${words[@]}" "$class" "$@"
}
hdfs_ready() { # anything missing is said now, not by a daemon's stack trace
  command -v java curl >/dev/null || skip "java or curl is missing: run '$self install $1'"
  [[ -e $hadoop/complete ]] || skip "Hadoop's jars are missing: run '$self install $1'"
  hdfs_configure "$1" client
}
hdfs_format() { # cluster
  hdfs_configure "$1" nn1
  [[ -e $rig/$1/nn1/current/VERSION ]] ||
    hdfs_once "$1" nn1 server.namenode.NameNode -format -nonInteractive -clusterid lab >"$rig/log/$1-format.out" 2>&1 ||
    fail "the NameNode could not be formatted; see $rig/log/$1-format.out"
}
hdfs_await_live() { # cluster, process, nodes: until the NameNode has left safe mode and counts its DataNodes
  local url state; url=http://$(hdfs_host "$1"):$(($(hdfs_base "$1") + 70))
  for _ in {1..600}; do
    state=$(inside curl -sf -m 5 ${hdfs_curl:-} "$url/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState" || true)
    [[ $state == *"\"NumLiveDataNodes\" : $3,"* && $state == *'"FSState" : "Operational"'* ]] && return
    pid_of "$2" >/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$rig/log/$2.out" >&2 || true
  fail "$1 does not become ready; its logs are $rig/log/$1*"
}

start_hdfs() {
  hdfs_ready hdfs
  start_hdfs_nn; start_hdfs_dn1; start_hdfs_dn2
  hdfs_await_live hdfs hdfs_nn 2
}
env_hdfs() {
  echo "LONGSHORE_TEST_HDFS=hdfs://127.0.0.1:8020/"
  echo "LONGSHORE_TEST_HDFS_HTTP=http://127.0.0.1:8070/"
}
