# DataNode 1 of `hdfs`.
start_hdfs_dn1() {
  pid_of hdfs_dn1 >/dev/null && return
  hdfs_ready hdfs
  hdfs_daemon hdfs dn1 hdfs_dn1 512m server.datanode.DataNode
  await hdfs_dn1 8061
}
env_hdfs_dn1() { :; }
