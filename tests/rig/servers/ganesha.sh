# nfs-ganesha with its portmapper: NFSv3 and NFSv4.1 of the folder `data`.
packages_ganesha="nfs-ganesha nfs-ganesha-vfs rpcbind libnfs-utils"
processes_ganesha="ganesha rpcbind"
nfs_port=12049 mount_port=12050

start_ganesha() {
  pid_of ganesha >/dev/null && return
  command -v ganesha.nfsd rpcbind >/dev/null || skip "nfs-ganesha or rpcbind is missing: run '$self install'"
  local plugins; plugins=$(dirname "$(find /usr/lib -name libfsalvfs.so 2>/dev/null | head -n1)")
  [[ $plugins != . ]] || skip "nfs-ganesha-vfs is missing: run '$self install'"
  if ! pid_of rpcbind >/dev/null; then
    rm -f "$rig"/private-run/rpcbind.*
    launch rpcbind rpcbind -f
    await rpcbind 111
  fi
  sed -e "s|@RIG@|$rig|g; s|@PLUGINS@|$plugins|g; s|@NFS_PORT@|$nfs_port|g; s|@MOUNT_PORT@|$mount_port|g" \
    "$servers/ganesha.conf" >"$rig/ganesha.conf"
  launch ganesha ganesha.nfsd -F -f "$rig/ganesha.conf" -L "$rig/log/ganesha.log" -p "$rig/run/ganesha.own-pid" -N NIV_EVENT
  await ganesha $mount_port
  await ganesha $nfs_port
}
env_ganesha() {
  echo "LONGSHORE_TEST_NFS=nfs://127.0.0.1:$nfs_port/data?mountport=$mount_port"
  echo "LONGSHORE_TEST_NFS4=nfs://127.0.0.1:$nfs_port/data?version=4.1"
  echo "LONGSHORE_TEST_NFS_DIR=$rig/data"
}
