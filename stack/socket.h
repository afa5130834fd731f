// SPDX-License-Identifier: GPL-2.0-only
//
// The doors that system calls come in by (net/socket.c, fs/eventpoll.c, fs/select.c, arch/x86/entry):
// numbers, registers and the structures that a program passes, as on x86-64. Whoever calls is a task;
// pointers are the program's own memory.
#pragma once

#include "stack/kernel/file.h"
#include "stack/kernel/timer.h"
#include "stack/wire/socket.h"

namespace skbwalk {

struct socket;

struct pt_regs {
	u64 di = 0, si = 0, dx = 0, r10 = 0, r8 = 0, r9 = 0; // the six arguments
	u64 orig_ax = 0;                                     // the call's number
	u64 ax = 0;                                          // what it returned
};

// Unlike the kernel, no __NR_ before them: those are macros of the host's headers.
enum class sys_nr : u32 {
	read = 0,
	write = 1,
	close = 3,
	poll = 7,
	socket = 41,
	connect = 42,
	accept = 43,
	sendto = 44,
	recvfrom = 45,
	shutdown = 48,
	bind = 49,
	listen = 50,
	getsockname = 51,
	getpeername = 52,
	setsockopt = 54,
	getsockopt = 55,
	sched_setaffinity = 203,
	epoll_wait = 232,
	epoll_ctl = 233,
	accept4 = 288,
	epoll_create1 = 291,
};

// A system call from its first instruction to its last: charges it, x64_sys_call, then the work of the way
// back to user mode (exit_to_user_mode_prepare). The result is in regs.ax; kernel-internal errnos
// (ERESTARTSYS) have become EINTR.
void entry_SYSCALL_64_after_hwframe(pt_regs &regs);
void do_syscall_64(pt_regs &regs, sys_nr nr);
long x64_sys_call(const pt_regs &regs, sys_nr nr);

// --- net/socket.c ---
int move_addr_to_kernel(const sockaddr *uaddr, int ulen, sockaddr_storage &kaddr);
long __sys_socket(int family, int type, int protocol);
long __sys_bind(int fd, const sockaddr *umyaddr, int addrlen);
long __sys_listen(int fd, int backlog);
long __sys_accept4(int fd, sockaddr *upeer_sockaddr, int *upeer_addrlen, int flags);
long __sys_connect(int fd, const sockaddr *uservaddr, int addrlen);
long __sys_getsockname(int fd, sockaddr *usockaddr, int *usockaddr_len);
long __sys_getpeername(int fd, sockaddr *usockaddr, int *usockaddr_len);
long __sys_sendto(int fd, void *buff, std::size_t len, u32 flags, const sockaddr *addr, int addr_len);
long __sys_recvfrom(int fd, void *ubuf, std::size_t size, u32 flags, sockaddr *addr, int *addr_len);
long __sys_setsockopt(int fd, int level, int optname, const void *optval, int optlen);
long __sys_getsockopt(int fd, int level, int optname, void *optval, int *optlen);
long __sys_shutdown(int fd, int how);
// The socket behind a file, or null.
socket *sock_from_file(file &f);
// The socket of a descriptor of that task, or null; for looking at state from outside.
socket *socket_of_fd(const task_struct &t, int fd);

// --- fs/select.c, fs/eventpoll.c ---
u64 select_estimate_accuracy(const timespec64 &tv);
u32 vfs_poll(file &f, poll_table *pt); // header inline
constexpr u32 EPOLLNVAL = 0x020, EPOLLWAKEUP = 1u << 29;
struct pollfd {
	int fd;
	s16 events;
	s16 revents;
};
struct [[gnu::packed]] epoll_event {
	u32 events;
	u64 data;
};
static_assert(sizeof(epoll_event) == 12);
constexpr int EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;

long __x64_sys_poll(const pt_regs &regs);
long __x64_sys_epoll_create1(const pt_regs &regs);
long __x64_sys_epoll_ctl(const pt_regs &regs);
long __x64_sys_epoll_wait(const pt_regs &regs);

// Values of socket options.
struct old_timeval {
	s64 tv_sec;
	s64 tv_usec;
};
struct linger_opt {
	int l_onoff;
	int l_linger;
};

} // namespace skbwalk
