# Samba, five instances over the same shares: one as it comes, one that demands signing, one that demands
# encryption, and two that speak nothing newer than SMB 2.1 and 3.0.
#
# The first listens on port 445: a DFS referral carries no port, so links can only be followed there.
packages_samba="samba samba-vfs-modules smbclient"
processes_samba="samba samba-sign samba-enc samba-21 samba-30"
smb_port=445 smb_sign_port=4451 smb_enc_port=4452 smb_21_port=4453 smb_30_port=4454
smb_password=longshore-smb
# Users of this machine; `lsuser` owns nothing. The realm's `alice` is `lsuser` here.
smb_user=lsuser smb_root=root

samba_instance() { # name, port, max protocol, signing, encryption
  local name=$1 state=$rig/samba/$1 kerberos=
  pid_of "$name" >/dev/null && return
  mkdir -p "$state"/{lock,state,cache,pid,ncalrpc}
  if [[ -e $rig/krb/complete ]]; then
    kerberos="realm = $kdc_realm\n  kerberos method = dedicated keytab\n  dedicated keytab file = $rig/krb/cifs.keytab"
    kerberos+="\n  username map = $rig/samba/usermap"
  fi
  sed -e "s|@RIG@|$rig|g; s|@STATE@|$state|g; s|@PORT@|$2|g; s|@NAME@|${name#samba}|g; s|@MAX@|$3|g; s|@SIGNING@|$4|g" \
    -e "s|@ENCRYPT@|$5|g; s|@KERBEROS@|$kerberos|g" "$servers/samba.conf" >"$state/smb.conf"
  launch "$name" env KRB5_CONFIG="$rig/krb/krb5.conf" smbd -F --no-process-group -s "$state/smb.conf" -P 1
  await "$name" "$2"
}

# The share `quota` is the only one with quotas. Samba asks with the directory to look at as the current one, the kind of
# question (1: the default, 2: of a user, whatever its manual says) and the user's number. It wants flags (2: enforced),
# then used, soft and hard limit in blocks, the same in files, and the size of a block.
samba_quotas() {
  mkdir -p "$rig/samba/quotas"; chmod 777 "$rig/samba/quotas"
  cat >"$rig/samba/quota" <<SCRIPT
#!/bin/sh
case \$PWD/ in "$rig/samba/quotas/"*) ;; *) echo 0 0 0 0 0 0 0; exit;; esac
case \$2:\$3 in
  2:0) echo 2 3000 8000 9000 0 0 0 1024;;
  2:\$(id -u $smb_user)) echo 2 7000 4000 6000 0 0 0 1024;;
  2:*) echo 2 0 0 0 0 0 0 1024;;
  1:*) echo 2 0 1000 2000 0 0 0 1024;;
  *) echo 0 0 0 0 0 0 0;;
esac
SCRIPT
  chmod 755 "$rig/samba/quota"
}

start_samba() {
  command -v smbd smbpasswd >/dev/null || skip "Samba is missing: run '$self install'"
  mkdir -p "$rig"/samba/{private,ntfs,dfsroot} "$rig"/data
  chmod 755 "$rig"/samba "$rig"/samba/{ntfs,dfsroot}
  id "$smb_user" >/dev/null 2>&1 || useradd --no-create-home --shell /usr/sbin/nologin "$smb_user"
  printf '!%s = alice "%s\\alice" alice@%s\n' "$smb_user" "$kdc_realm" "$kdc_realm" >"$rig/samba/usermap"
  # A link of DFS is a symbolic link of this form.
  local link; for link in "data msdfs:localhost\\data" "guest msdfs:localhost\\guest" \
    "loop msdfs:localhost\\dfs" "nowhere msdfs:localhost\\no-such-share" "dead msdfs:no-such-host.invalid\\share"; do
    ln -sfn "${link#* }" "$rig/samba/dfsroot/${link%% *}"
  done
  samba_quotas
  samba_instance samba $smb_port SMB3_11 default default
  if [[ ! -e $rig/samba/private/complete ]]; then
    local user; for user in "$smb_root" "$smb_user"; do
      printf '%s\n%s\n' "$smb_password" "$smb_password" | smbpasswd -c "$rig/samba/samba/smb.conf" -s -a "$user" \
        >>"$rig/log/samba.out" 2>&1 || fail "no Samba user $user; see $rig/log/samba.out"
    done
    touch "$rig/samba/private/complete"
  fi
  samba_instance samba-sign $smb_sign_port SMB3_11 mandatory default
  samba_instance samba-enc $smb_enc_port SMB3_11 default required
  samba_instance samba-21 $smb_21_port SMB2_10 default off
  samba_instance samba-30 $smb_30_port SMB3_00 default default
}
env_samba() {
  echo "LONGSHORE_TEST_SMB=smb://$smb_root@127.0.0.1:$smb_port/data"
  echo "LONGSHORE_TEST_SMB_PASSWORD=$smb_password"
  echo "LONGSHORE_TEST_SMB_USER=$smb_user"
  echo "LONGSHORE_TEST_SMB_DIR=$rig/data"
  echo "LONGSHORE_TEST_SMB_NTFS_DIR=$rig/samba/ntfs"
  echo "LONGSHORE_TEST_SMB_SIGN=smb://$smb_root@127.0.0.1:$smb_sign_port/data"
  echo "LONGSHORE_TEST_SMB_ENC=smb://$smb_root@127.0.0.1:$smb_enc_port/data"
  echo "LONGSHORE_TEST_SMB_21=smb://$smb_root@127.0.0.1:$smb_21_port/data"
  echo "LONGSHORE_TEST_SMB_30=smb://$smb_root@127.0.0.1:$smb_30_port/data"
}
