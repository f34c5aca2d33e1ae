/**
 * What Debian's busybox-static can be called as. A program that only a newer one has is missing as a link, and there as
 * `busybox NAME`; a link to one that an older one lacks says so when it is run.
 */
export const BUSYBOX_PROGRAMS: readonly string[] = [
  ..."[ [[ acpid adjtimex ar arch arp arping ascii ash awk base64 basename bc blkdiscard blockdev brctl bunzip2 bzcat".split(
    " ",
  ),
  ..."bzip2 cal cat chgrp chmod chown chroot chvt clear cmp cp cpio crc32 crond crontab cttyhack cut date dc dd".split(
    " ",
  ),
  ..."deallocvt depmod devmem df diff dirname dmesg dnsdomainname dos2unix dpkg dpkg-deb du dumpkmap dumpleases echo".split(
    " ",
  ),
  ..."ed egrep env expand expr factor fallocate false fatattr fdisk fgrep find findfs fold free freeramdisk fsfreeze".split(
    " ",
  ),
  ..."fstrim ftpget ftpput getopt getty grep groups gunzip gzip halt head hexdump hostid hostname httpd hwclock".split(
    " ",
  ),
  ..."i2cdetect i2cdump i2cget i2cset i2ctransfer id ifconfig ifdown ifup insmod ionice ip ipcalc ipneigh kill killall".split(
    " ",
  ),
  ..."klogd last less link linux32 linux64 ln loadfont loadkmap logger login logname logread losetup ls lsmod lsscsi".split(
    " ",
  ),
  ..."lzcat lzma lzop md5sum mdev microcom mim mkdir mkdosfs mke2fs mkfifo mknod mkpasswd mkswap mktemp modinfo".split(
    " ",
  ),
  ..."modprobe more mount mt mv nameif nc netstat nl nologin nproc nsenter nslookup nuke od openvt partprobe passwd".split(
    " ",
  ),
  ..."paste patch pidof ping ping6 pivot_root poweroff printf ps pwd rdate readlink realpath reboot renice reset".split(
    " ",
  ),
  ..."resume rev rm rmdir rmmod route rpm rpm2cpio run-init run-parts sed seq setkeycodes setpriv setsid sha1sum".split(
    " ",
  ),
  ..."sha256sum sha3sum sha512sum shred shuf sleep sort ssl_client start-stop-daemon stat strings stty su sulogin svc".split(
    " ",
  ),
  ..."svok swapoff swapon switch_root sync sysctl syslogd tac tail tar taskset tc tee telnet telnetd test tftp time".split(
    " ",
  ),
  ..."timeout top touch tr traceroute traceroute6 true truncate ts tty tunctl ubirename udhcpc udhcpd uevent umount".split(
    " ",
  ),
  ..."uname uncompress unexpand uniq unix2dos unlink unlzma unshare unxz unzip uptime usleep uudecode uuencode vconfig".split(
    " ",
  ),
  ..."vi w watch watchdog wc wget which who whoami xargs xxd xz xzcat yes zcat".split(" "),
];
