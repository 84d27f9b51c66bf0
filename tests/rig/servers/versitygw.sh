# versitygw over a directory: objects are files, their metadata extended attributes. A second S3 server, by other people.
versitygw_version=v1.8.0
versitygw_port=9010

install_versitygw() {
  [[ ! -x $bin/versitygw ]] || return 0
  go_install versitygw "github.com/versity/versitygw/cmd/versitygw@$versitygw_version"
}
start_versitygw() {
  pid_of versitygw >/dev/null && return
  [[ -x $bin/versitygw ]] || skip "versitygw is missing: run '$self install versitygw'"
  mkdir -p "$rig/versitygw/data" "$rig/versitygw/versions"
  # The keys of MinIO, so that one AWS environment serves both.
  launch versitygw env ROOT_ACCESS_KEY=$access_key ROOT_SECRET_KEY=$secret_key \
    "$bin/versitygw" --port 127.0.0.1:$versitygw_port --region us-east-1 posix --versioning-dir "$rig/versitygw/versions" "$rig/versitygw/data"
  await versitygw $versitygw_port
}

env_versitygw() {
  echo "LONGSHORE_TEST_S3_SECOND=http://127.0.0.1:$versitygw_port"
  echo "AWS_ACCESS_KEY_ID=$access_key"
  echo "AWS_SECRET_ACCESS_KEY=$secret_key"
  echo "AWS_REGION=us-east-1"
  echo "AWS_EC2_METADATA_DISABLED=true"
}
