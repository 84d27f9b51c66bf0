# Samba as the controller of an Active Directory domain, LAB.EXAMPLE: SMB by tickets that carry groups (a PAC), which
# a Samba without a domain refuses, and users of a domain by NTLM.
#
# It is bound to 127.0.0.2, and its SMB to a port of its own, so that it runs beside the other servers. No name leads
# there: a location names the address, and says with `?service=dc.lab.example` whom the ticket is for.
packages_samba_ad="samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind smbclient krb5-user"
ad_address=127.0.0.2 ad_port=4460 ad_realm=LAB.EXAMPLE ad_domain=LAB ad_host=dc
ad_service=$ad_host.${ad_realm,,}
# Every user has this password and a keytab. `alice` is in 120 groups, so that her ticket is a large one; the account of
# `carol` is disabled, and `dave` must change his password first.
ad_password=Longshore-1

start_samba_ad() {
  pid_of samba_ad >/dev/null && return
  command -v samba samba-tool winbindd >/dev/null || skip "Samba's domain controller is missing: run '$self install'"
  local ad=$rig/samba_ad
  mkdir -p "$rig/data"; chmod 755 "$rig/data"
  [[ -e $ad/complete ]] || ad_provision "$ad"
  # winbindd makes its socket in /run/samba, always; a Samba without a domain that finds it there asks it who its own
  # users are, and then knows none. So this server has a /run/samba that no other sees.
  mkdir -p "$rig/private-run/samba" "$ad/run"
  # shellcheck disable=SC2016
  launch samba_ad env KRB5_CONFIG="$ad/krb5.conf" unshare --mount --propagation private bash -c \
    'mount --bind "$1/run" /run/samba && exec samba -F --no-process-group -s "$1/smb.conf"' bash "$ad"
  # Whoever answers a ticket and a password is up: KDC, winbind and smbd.
  local tried; for tried in {1..200}; do
    pid_of samba_ad >/dev/null || break
    if ad_answers "$ad"; then return; fi
    sleep 0.2
  done >>"$rig/log/samba_ad.out" 2>&1
  tail -n 20 "$rig/log/samba_ad"* >&2 || true
  end samba_ad KILL
  fail "the domain controller does not answer; its log is $rig/log/samba_ad*"
}

ad_answers() { # its folder
  KRB5_CONFIG=$1/krb5.conf inside kinit -c "FILE:$1/rig.ccache" -k -t "$1/alice.keytab" "alice@$ad_realm" &&
    inside smbclient -s "$1/smb.conf" -p $ad_port -U "$ad_domain\\alice%$ad_password" "//$ad_address/data" -c exit
}

ad_provision() { # its folder
  local ad=$1
  rm -rf "$ad"; mkdir -p "$ad"/{lock,state,cache,pid,ncalrpc,private}; chmod 755 "$ad"
  sed -e "s|@RIG@|$rig|g; s|@AD@|$ad|g; s|@ADDRESS@|$ad_address|g; s|@PORT@|$ad_port|g; s|@HOST@|$ad_host|g" \
    -e "s|@REALM@|$ad_realm|g; s|@DOMAIN@|$ad_domain|g" "$servers/samba_ad.conf" >"$ad/smb.conf"
  cat >"$ad/krb5.conf" <<CONF
[libdefaults]
 default_realm = $ad_realm
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
 dns_canonicalize_hostname = false
 udp_preference_limit = 1
[realms]
 $ad_realm = {
  kdc = $ad_address:88
 }
[domain_realm]
 .${ad_realm,,} = $ad_realm
CONF
  local name; {
    inside samba-tool domain provision -s "$ad/smb.conf" --realm=$ad_realm --domain=$ad_domain --host-name=$ad_host \
      --host-ip=$ad_address --adminpass="$ad_password" --dns-backend=NONE --server-role=dc --use-rfc2307 &&
      inside /usr/bin/python3 - "$ad/smb.conf" "$ad_password" <<'PYTHON' &&
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

lp = LoadParm(sys.argv[1])
sam = SamDB(session_info=system_session(), lp=lp)
sam.transaction_start()
for name in ("alice", "bob", "carol", "dave"):
    sam.newuser(name, sys.argv[2], force_password_change_at_next_login_req=name == "dave")
sam.disable_account("(sAMAccountName=carol)")
for number in range(120):
    name = f"group-{number:03}"
    sam.newgroup(name)
    sam.add_remove_group_members(name, ["alice"])
sam.transaction_commit()
PYTHON
      for name in alice bob carol dave; do
        inside samba-tool domain exportkeytab "$ad/$name.keytab" -s "$ad/smb.conf" --principal="$name" || break
      done && [[ -s $ad/dave.keytab ]]
  } >>"$rig/log/samba_ad.out" 2>&1 || fail "no domain was made; see $rig/log/samba_ad.out"
  chmod 644 "$ad"/*.keytab
  touch "$ad/complete"
}

env_samba_ad() {
  # Kerberos reads several files as one: the realm of the other KDC, if it runs, and ours.
  echo "KRB5_CONFIG=$rig/krb/krb5.conf:$rig/samba_ad/krb5.conf"
  echo "LONGSHORE_TEST_SMB_AD=smb://$ad_address:$ad_port/data?service=$ad_service"
  echo "LONGSHORE_TEST_SMB_AD_DOMAIN=$ad_domain"
  echo "LONGSHORE_TEST_SMB_AD_REALM=$ad_realm"
  echo "LONGSHORE_TEST_SMB_AD_PASSWORD=$ad_password"
  echo "LONGSHORE_TEST_SMB_AD_KEYTABS=$rig/samba_ad"
}
