# NameNode nn1 of `hdfs_ha`; it starts as a standby.
start_hdfs_ha_nn1() {
  pid_of hdfs_ha_nn1 >/dev/null && return
  hdfs_ready hdfs_ha
  hdfs_daemon hdfs_ha nn1 hdfs_ha_nn1 768m server.namenode.NameNode
  await hdfs_ha_nn1 8120
  await hdfs_ha_nn1 8170
}
env_hdfs_ha_nn1() { :; }
