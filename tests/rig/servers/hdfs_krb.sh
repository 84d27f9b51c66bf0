# Apache HDFS with Kerberos everywhere: RPC, data transfer, and every page over HTTP.
# LONGSHORE_RIG_HDFS_PROTECTION sets what protects data in transit: authentication, integrity or privacy (default);
# LONGSHORE_RIG_HDFS_ENCRYPT=true sets dfs.encrypt.data.transfer, too. To change them, stop hdfs_krb and start it again.
packages_hdfs_krb="openjdk-17-jre-headless maven curl krb5-kdc krb5-admin-server krb5-user"
processes_hdfs_krb="hdfs_krb_nn hdfs_krb_dn1 hdfs_krb_dn2"

install_hdfs_krb() { install_hdfs; }
properties_hdfs_krb() { # file, role
  local protection=${LONGSHORE_RIG_HDFS_PROTECTION:-privacy}
  if [[ $1 == core ]]; then
    hdfs_property hadoop.security.authentication kerberos
    hdfs_property hadoop.security.authorization true
    hdfs_property hadoop.rpc.protection "$protection"
    # The daemons run as nn and dn, and are the superuser hdfs.
    hdfs_property hadoop.security.auth_to_local 'RULE:[2:$1](nn|dn|hdfs)s/.*/hdfs/ DEFAULT'
    hdfs_property hadoop.http.filter.initializers org.apache.hadoop.security.AuthenticationFilterInitializer
    hdfs_property hadoop.http.authentication.type kerberos
    hdfs_property hadoop.http.authentication.simple.anonymous.allowed false
    hdfs_property hadoop.http.authentication.kerberos.principal "HTTP/localhost@$kdc_realm"
    hdfs_property hadoop.http.authentication.kerberos.keytab "$rig/krb/HTTP.keytab"
    hdfs_property hadoop.http.authentication.signature.secret.file "$rig/hdfs_krb/http-secret"
  else
    hdfs_property dfs.namenode.kerberos.principal "nn/localhost@$kdc_realm"
    hdfs_property dfs.namenode.keytab.file "$rig/krb/nn.keytab"
    hdfs_property dfs.datanode.kerberos.principal "dn/localhost@$kdc_realm"
    hdfs_property dfs.datanode.keytab.file "$rig/krb/dn.keytab"
    hdfs_property dfs.web.authentication.kerberos.principal "HTTP/localhost@$kdc_realm"
    hdfs_property dfs.web.authentication.kerberos.keytab "$rig/krb/HTTP.keytab"
    hdfs_property dfs.block.access.token.enable true
    hdfs_property ignore.secure.ports.for.testing true
    hdfs_property dfs.data.transfer.protection "$protection"
    hdfs_property dfs.encrypt.data.transfer "${LONGSHORE_RIG_HDFS_ENCRYPT:-false}"
    hdfs_property dfs.encrypt.data.transfer.cipher.suites AES/CTR/NoPadding
    # Who may take an image of the namespace.
    hdfs_property dfs.cluster.administrators alice
  fi
}
start_hdfs_krb() {
  start_kdc
  mkdir -p "$rig/hdfs_krb"; echo "$secret_key" >"$rig/hdfs_krb/http-secret"
  hdfs_ready hdfs_krb
  hdfs_format hdfs_krb
  pid_of hdfs_krb_nn >/dev/null || hdfs_daemon hdfs_krb nn1 hdfs_krb_nn 768m server.namenode.NameNode
  await hdfs_krb_nn 8220
  await hdfs_krb_nn 8270
  local node
  for node in 1 2; do pid_of hdfs_krb_dn$node >/dev/null || hdfs_daemon hdfs_krb dn$node hdfs_krb_dn$node 512m server.datanode.DataNode; done
  KRB5_CONFIG=$rig/krb/krb5.conf inside kinit -c "FILE:$rig/krb/hdfs-rig.ccache" -k -t "$rig/krb/hdfs.keytab" hdfs/localhost
  KRB5_CONFIG=$rig/krb/krb5.conf KRB5CCNAME=FILE:$rig/krb/hdfs-rig.ccache hdfs_curl="--negotiate -u :" hdfs_await_live hdfs_krb hdfs_krb_nn 2
}
env_hdfs_krb() {
  echo "LONGSHORE_TEST_HDFS_KRB=hdfs://localhost:8220/"
  echo "LONGSHORE_TEST_HDFS_KRB_CONF=$rig/hdfs_krb/conf-client"
  echo "LONGSHORE_TEST_HDFS_KRB_HTTP=http://localhost:8270/"
  echo "LONGSHORE_TEST_HDFS_KRB_DIR=$rig/krb"
}
