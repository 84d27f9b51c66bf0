# NameNode nn2 of `hdfs_ha`; it starts as a standby.
start_hdfs_ha_nn2() {
  pid_of hdfs_ha_nn2 >/dev/null && return
  hdfs_ready hdfs_ha
  hdfs_daemon hdfs_ha nn2 hdfs_ha_nn2 768m server.namenode.NameNode
  await hdfs_ha_nn2 8121
  await hdfs_ha_nn2 8171
}
env_hdfs_ha_nn2() { :; }
