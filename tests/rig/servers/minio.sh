# MinIO, one drive.
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
s3_port=9000

install_minio() {
  [[ ! -x $bin/minio ]] || return 0
  go_install minio "github.com/minio/minio@$minio_version"
}
start_minio() {
  pid_of minio >/dev/null && return
  [[ -x $bin/minio ]] || skip "MinIO is missing: run '$self install'"
  launch minio env MINIO_ROOT_USER=$access_key MINIO_ROOT_PASSWORD=$secret_key MINIO_BROWSER=off MINIO_UPDATE=off \
    "$bin/minio" server "$rig/minio" --address 127.0.0.1:$s3_port --quiet
  await minio $s3_port
  # The port opens before the store is ready.
  for _ in {1..300}; do inside bash -c "exec 3<>/dev/tcp/127.0.0.1/$s3_port; printf 'GET /minio/health/ready HTTP/1.1\r\nHost: minio\r\nConnection: close\r\n\r\n' >&3; grep -q '^HTTP/1.1 200' <&3" 2>/dev/null && return; sleep 0.1; done
  fail "MinIO does not become ready; its log is $rig/log/minio.out"
}

env_minio() {
  echo "LONGSHORE_TEST_S3=http://127.0.0.1:$s3_port"
  echo "AWS_ACCESS_KEY_ID=$access_key"
  echo "AWS_SECRET_ACCESS_KEY=$secret_key"
  echo "AWS_REGION=us-east-1"
  echo "AWS_EC2_METADATA_DISABLED=true"
}
