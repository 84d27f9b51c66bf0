# The NameNode of `hdfs`.
start_hdfs_nn() {
  pid_of hdfs_nn >/dev/null && return
  hdfs_ready hdfs; hdfs_format hdfs
  # A NameNode reads its keys when it starts, so the one for encryption zones is made before.
  [[ -e $rig/hdfs/keys.jceks ]] || hdfs_once hdfs nn1 org.apache.hadoop.crypto.key.KeyShell create zone-key -size 128 \
    >"$rig/log/hdfs-key.out" 2>&1 || fail "no key for encryption zones; see $rig/log/hdfs-key.out"
  hdfs_daemon hdfs nn1 hdfs_nn 1536m server.namenode.NameNode
  await hdfs_nn 8020
  await hdfs_nn 8070
}
env_hdfs_nn() { :; }
