# A Kerberos realm of our own: MIT's KDC for LAB.LOCAL, its keytabs and its krb5.conf in the folder `krb`.
packages_kdc="krb5-kdc krb5-admin-server krb5-user"
kdc_port=8888 kdc_realm=LAB.LOCAL
# People have a password, `NAME-password`, and a keytab; services have a keytab. One file each, named after the
# first part of the principal.
kdc_people="alice bob"
kdc_services="cifs HTTP hdfs nn dn jn nfs"

start_kdc() {
  pid_of kdc >/dev/null && return
  command -v krb5kdc kdb5_util kadmin.local >/dev/null || skip "the KDC is missing: run '$self install'"
  local krb=$rig/krb name principal
  mkdir -p "$krb"; chmod 755 "$krb"
  # Java's parser wants one setting to a line. Requests go by TCP: a ticket with many groups does not fit in a datagram.
  cat >"$krb/krb5.conf" <<CONF
[libdefaults]
 default_realm = $kdc_realm
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
 dns_canonicalize_hostname = false
 udp_preference_limit = 1
 permitted_enctypes = aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96
 default_ccache_name = FILE:$krb/ccache
[realms]
 $kdc_realm = {
  kdc = 127.0.0.1:$kdc_port
 }
[domain_realm]
 localhost = $kdc_realm
CONF
  cat >"$krb/kdc.conf" <<CONF
[kdcdefaults]
 kdc_listen = 127.0.0.1:$kdc_port
 kdc_tcp_listen = 127.0.0.1:$kdc_port
[realms]
 $kdc_realm = {
  database_name = $krb/principal
  key_stash_file = $krb/stash
  acl_file = $krb/kadm5.acl
  supported_enctypes = aes256-cts:normal aes128-cts:normal
  max_life = 24h
  max_renewable_life = 7d
 }
[logging]
 kdc = FILE:$rig/log/kdc.log
CONF
  if [[ ! -e $krb/complete ]]; then
    rm -f "$krb"/principal* "$krb"/stash "$krb"/*.keytab
    kdc_admin() { KRB5_CONFIG=$krb/krb5.conf KRB5_KDC_PROFILE=$krb/kdc.conf "$@" >>"$rig/log/kdc.out" 2>&1 || fail "$1 failed; see $rig/log/kdc.out"; }
    kdc_admin kdb5_util -P "$secret_key" -r "$kdc_realm" create -s
    for name in $kdc_people; do
      kdc_admin kadmin.local -r "$kdc_realm" -q "addprinc -pw $name-password $name"
      kdc_admin kadmin.local -r "$kdc_realm" -q "ktadd -norandkey -k $krb/$name.keytab $name"
    done
    for name in $kdc_services; do
      principal=$name/localhost
      kdc_admin kadmin.local -r "$kdc_realm" -q "addprinc -randkey $principal"
      kdc_admin kadmin.local -r "$kdc_realm" -q "ktadd -norandkey -k $krb/$name.keytab $principal"
      # Hadoop's daemons answer HTTP with the same keytab.
      [[ $name != HTTP ]] || for principal in hdfs nn dn jn; do
        kdc_admin kadmin.local -r "$kdc_realm" -q "ktadd -norandkey -k $krb/$principal.keytab HTTP/localhost"
      done
    done
    for name in $kdc_people $kdc_services; do [[ -s $krb/$name.keytab ]] || fail "no keytab for $name; see $rig/log/kdc.out"; done
    chmod 644 "$krb"/*.keytab
    touch "$krb/complete"
  fi
  launch kdc env KRB5_CONFIG="$krb/krb5.conf" KRB5_KDC_PROFILE="$krb/kdc.conf" krb5kdc -n -r "$kdc_realm" -P "$rig/run/kdc.own-pid"
  await kdc $kdc_port
}
env_kdc() {
  echo "KRB5_CONFIG=$rig/krb/krb5.conf"
  echo "LONGSHORE_TEST_KRB_REALM=$kdc_realm"
  echo "LONGSHORE_TEST_KRB_PRINCIPAL=alice@$kdc_realm"
  echo "LONGSHORE_TEST_KRB_KEYTAB=$rig/krb/alice.keytab"
}
