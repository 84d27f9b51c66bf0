# DataNode 2 of `hdfs`.
start_hdfs_dn2() {
  pid_of hdfs_dn2 >/dev/null && return
  hdfs_ready hdfs
  hdfs_daemon hdfs dn2 hdfs_dn2 512m server.datanode.DataNode
  await hdfs_dn2 8062
}
env_hdfs_dn2() { :; }
