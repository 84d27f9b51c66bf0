# The NameNode of `hdfs`.
start_hdfs_nn() {
  pid_of hdfs_nn >/dev/null && return
  hdfs_ready hdfs; hdfs_format hdfs
  hdfs_daemon hdfs nn1 hdfs_nn 1536m server.namenode.NameNode
  await hdfs_nn 8020
  await hdfs_nn 8070
}
env_hdfs_nn() { :; }
