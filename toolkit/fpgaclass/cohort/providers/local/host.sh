# Run inside new mount, name and process namespaces: a machine of its own over this one's files.
# Arguments: folder, host name, address, public key file, sshd, host key.
set -eu
folder=$1 name=$2 address=$3 public_key=$4 sshd=$5 host_key=$6
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
cd "$folder/root"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
mount -t tmpfs -o mode=1777 tmpfs dev/shm # what a host clears there must be its own
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
hostname "$name"
echo "$name" > etc/hostname
mkdir -p run/sshd root/.ssh
chmod 0700 root root/.ssh
cp "$public_key" root/.ssh/authorized_keys
cp "$host_key" etc/ssh/fpgaclass_host_key
chmod 0600 root/.ssh/authorized_keys etc/ssh/fpgaclass_host_key
exec chroot . "$sshd" -D -e -f /dev/null -h /etc/ssh/fpgaclass_host_key \
  -o "ListenAddress=$address" -o PermitRootLogin=prohibit-password -o PasswordAuthentication=no \
  -o UsePAM=no -o StrictModes=no -o MaxStartups=100 -o MaxSessions=50 -o UseDNS=no \
  -o "Subsystem=sftp internal-sftp" -o PidFile=none
