# Apache HDFS with two NameNodes that share a JournalNode, and two DataNodes. No ZooKeeper: nobody fails over by itself.
# After the active one is killed: `hdfs-tool ha haadmin -transitionToActive --forceactive nn2`.
packages_hdfs_ha="openjdk-17-jre-headless maven curl"
processes_hdfs_ha="hdfs_ha_jn hdfs_ha_nn1 hdfs_ha_nn2 hdfs_ha_dn1 hdfs_ha_dn2"

install_hdfs_ha() { install_hdfs; }
properties_hdfs_ha() { # file, role
  [[ $1 == hdfs ]] || return 0
  local node own=nn1; [[ $2 != nn2 ]] || own=nn2
  hdfs_property dfs.nameservices lab
  hdfs_property dfs.ha.namenodes.lab nn1,nn2
  for node in 1 2; do
    hdfs_property dfs.namenode.rpc-address.lab.nn$node 127.0.0.1:812$((node - 1))
    hdfs_property dfs.namenode.http-address.lab.nn$node 127.0.0.1:817$((node - 1))
  done
  hdfs_property dfs.namenode.shared.edits.dir qjournal://127.0.0.1:8185/lab
  hdfs_property dfs.journalnode.edits.dir "$rig/hdfs_ha/jn"
  hdfs_property dfs.journalnode.rpc-address 127.0.0.1:8185
  hdfs_property dfs.journalnode.http-address 127.0.0.1:8186
  hdfs_property dfs.client.failover.proxy.provider.lab org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider
  hdfs_property dfs.ha.fencing.methods 'shell(/bin/true)'
  hdfs_property dfs.ha.automatic-failover.enabled false
  hdfs_property dfs.ha.tail-edits.period 1s
  [[ $2 != nn* ]] || hdfs_property dfs.ha.namenode.id "$own"
  hdfs_property dfs.namenode.name.dir "file://$rig/hdfs_ha/$own"
}
start_hdfs_ha() {
  hdfs_ready hdfs_ha
  pid_of hdfs_ha_jn >/dev/null || hdfs_daemon hdfs_ha jn hdfs_ha_jn 256m qjournal.server.JournalNode
  await hdfs_ha_jn 8185
  hdfs_format hdfs_ha
  start_hdfs_ha_nn1
  # What `-bootstrapStandby` does, with one JVM less.
  [[ -e $rig/hdfs_ha/nn2/current/VERSION ]] || { mkdir -p "$rig/hdfs_ha/nn2"; cp -r "$rig/hdfs_ha/nn1/current" "$rig/hdfs_ha/nn2/"; }
  start_hdfs_ha_nn2
  local node
  for node in 1 2; do pid_of hdfs_ha_dn$node >/dev/null || hdfs_daemon hdfs_ha dn$node hdfs_ha_dn$node 512m server.datanode.DataNode; done
  hdfs_once hdfs_ha client tools.DFSHAAdmin -transitionToActive nn1 >"$rig/log/hdfs_ha-active.out" 2>&1 ||
    fail "nn1 does not become active; see $rig/log/hdfs_ha-active.out"
  for node in 1 2; do await hdfs_ha_dn$node 816$node; done
  hdfs_await_live hdfs_ha hdfs_ha_nn1 2
}
env_hdfs_ha() {
  echo "LONGSHORE_TEST_HDFS_HA=hdfs://lab/"
  echo "LONGSHORE_TEST_HDFS_HA_CONF=$rig/hdfs_ha/conf-client"
}
