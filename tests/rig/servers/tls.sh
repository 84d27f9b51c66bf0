# stunnel in front of nfs-ganesha's ports and of MinIO's: TLS from the first byte, for `localhost` and 127.0.0.1.
# Certificates come from a CA of our own in the folder `tls`. RPC with TLS (RFC 9289) is spoken by no server of Debian 12.
packages_tls="stunnel4 openssl"
tls_nfs_port=12149 tls_mount_port=12150 tls_s3_port=9443

start_tls() {
  pid_of tls >/dev/null && return
  command -v stunnel4 openssl >/dev/null || skip "stunnel4 or openssl is missing: run '$self install tls'"
  local tls=$rig/tls name
  mkdir -p "$tls"
  if [[ ! -e $tls/complete ]]; then
    tls_made() { openssl "$@" >>"$rig/log/tls.out" 2>&1 || fail "openssl $1 failed; see $rig/log/tls.out"; }
    # The second CA signs nothing: whoever trusts only that one must refuse the server.
    for name in ca other-ca; do
      tls_made req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=longshore rig $name" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
        -keyout "$tls/$name.key" -out "$tls/$name.pem"
    done
    tls_made req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$tls/server.key" -out "$tls/server.csr"
    printf 'subjectAltName = DNS:localhost, IP:127.0.0.1\nextendedKeyUsage = serverAuth\n' >"$tls/server.ext"
    tls_made x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 3650 \
      -extfile "$tls/server.ext" -out "$tls/server.pem"
    touch "$tls/complete"
  fi
  { printf 'foreground = yes\npid =\nsyslog = no\ncert = %s\nkey = %s\n' "$tls/server.pem" "$tls/server.key"
    tls_port() { printf '[%s]\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\n' "$@"; }
    tls_port nfs $tls_nfs_port $nfs_port
    tls_port mount $tls_mount_port $mount_port
    tls_port s3 $tls_s3_port $s3_port
  } >"$tls/stunnel.conf"
  launch tls stunnel4 "$tls/stunnel.conf"
  await tls $tls_nfs_port
  await tls $tls_s3_port
}
env_tls() {
  echo "LONGSHORE_TEST_TLS_CA=$rig/tls/ca.pem"
  echo "LONGSHORE_TEST_TLS_OTHER_CA=$rig/tls/other-ca.pem"
  # Other ports of this host: what stands behind each is as it is without TLS.
  echo "LONGSHORE_TEST_TLS_NFS=nfs://127.0.0.1:$tls_nfs_port/data?mountport=$tls_mount_port&tls=direct&ca=$rig/tls/ca.pem"
  echo "LONGSHORE_TEST_TLS_S3_ENDPOINT=https://127.0.0.1:$tls_s3_port"
}
