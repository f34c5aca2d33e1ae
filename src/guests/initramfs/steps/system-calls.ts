/** Linux's system calls and what they take, as far as a run's guest needs them. */

/** Numbers for x86-64 (arch/x86/entry/syscalls/syscall_64.tbl). */
export const CALLS = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  ioctl: 16,
  access: 21,
  dup2: 33,
  clone: 56,
  vfork: 58,
  execve: 59,
  exit: 60,
  wait4: 61,
  kill: 62,
  fcntl: 72,
  chdir: 80,
  mkdir: 83,
  fchmod: 91,
  setsid: 112,
  chroot: 161,
  sync: 162,
  mount: 165,
  reboot: 169,
  sethostname: 170,
  clock_settime: 227,
  exit_group: 231,
  dup3: 292,
  pipe2: 293,
} as const;

/** Of `open`, `pipe2` and `dup3` (include/uapi/asm-generic/fcntl.h). */
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_TRUNC = 0o1000;
export const O_CLOEXEC = 0o2000000;

/** Of `access`: whether there is such a file, and whether it can be executed. */
export const F_OK = 0;
export const X_OK = 1;

/** Of `fcntl`: the descriptor is closed by `execve`. */
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;

/** Of `mount` (include/uapi/linux/mount.h). */
export const MS_RDONLY = 1;
export const MS_MOVE = 0x2000;

/** Of `clone`: a thread of the same process (include/uapi/linux/sched.h: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM). */
export const THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;

/** Of `ioctl`: a terminal becomes that of the session. */
export const TIOCSCTTY = 0x540e;
/** More for the random numbers, and that they begin anew (include/uapi/linux/random.h). */
export const RNDADDENTROPY = 0x4008_5203;
export const RNDRESEEDCRNG = 0x5207;

/** What `reboot` has to be told before it does anything, and that it switches off (include/uapi/linux/reboot.h). */
export const REBOOT_MAGIC = [0xfee1_dead, 0x2812_1969] as const;
export const POWER_OFF = 0x4321_fedc;

/** Of `execve`: an interpreter is not there, arguments are too long, and neither a program nor a script that says who reads it. */
export const ENOENT = -2;
export const E2BIG = -7;
export const ENOEXEC = -8;

export const SIGKILL = 9;
export const CLOCK_REALTIME = 0;
