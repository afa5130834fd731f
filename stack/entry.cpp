// SPDX-License-Identifier: GPL-2.0-only
//
// From a task's `syscall` instruction to its return (arch/x86/entry/entry_64.S, common.c): the call's cost is
// charged, its number chooses the function, arguments come from registers; on the way back to user mode
// put-off work runs (exit_to_user_mode_prepare). Reading and writing a descriptor (fs/read_write.c) and
// closing it (fs/open.c) are here too, and the door to sched_setaffinity.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "stack/kernel/sched_affinity.h"
#include "stack/security/security.h"
#include "stack/socket.h"

namespace skbwalk {

namespace {

template <class T> T pointer(u64 reg) { return reinterpret_cast<T>(static_cast<std::uintptr_t>(reg)); }
int number(u64 reg) { return static_cast<int>(reg); }

constexpr int MAY_WRITE = 2, MAY_READ = 4;
constexpr std::size_t MAX_RW_COUNT = 0x7ffff000;

} // namespace

// --- fs/read_write.c, fs/open.c ---

static int rw_verify_area(file &f, int mask)
{
	TRACE();
	return security_file_permission(f, mask);
}

static long new_sync_read(file &f, void *buf, std::size_t len)
{
	TRACE();
	return f.f_op->read_iter(f, buf, len);
}

static long vfs_read(file &f, void *buf, std::size_t count)
{
	TRACE();
	if (!buf && count)
		return -EFAULT;
	if (const int ret = rw_verify_area(f, MAY_READ))
		return ret;
	return f.f_op->read_iter ? new_sync_read(f, buf, count < MAX_RW_COUNT ? count : MAX_RW_COUNT)
	                         : -EINVAL;
}

static long ksys_read(int fd, void *buf, std::size_t count)
{
	TRACE();
	const fd_ref f = __fdget_pos(fd);

	if (!f.f)
		return -EBADF;
	const long ret = vfs_read(*f.f, buf, count);
	fdput(f);
	return ret;
}

static long new_sync_write(file &f, const void *buf, std::size_t len)
{
	TRACE();
	return f.f_op->write_iter(f, buf, len);
}

static long vfs_write(file &f, const void *buf, std::size_t count)
{
	TRACE();
	if (!buf && count)
		return -EFAULT;
	if (const int ret = rw_verify_area(f, MAY_WRITE))
		return ret;
	return f.f_op->write_iter ? new_sync_write(f, buf, count < MAX_RW_COUNT ? count : MAX_RW_COUNT)
	                          : -EINVAL;
}

static long ksys_write(int fd, const void *buf, std::size_t count)
{
	TRACE();
	const fd_ref f = __fdget_pos(fd);

	if (!f.f)
		return -EBADF;
	const long ret = vfs_write(*f.f, buf, count);
	fdput(f);
	return ret;
}

// --- one function for each call ---

static long __x64_sys_read(const pt_regs &regs)
{
	TRACE();
	return ksys_read(number(regs.di), pointer<void *>(regs.si), regs.dx);
}

static long __x64_sys_write(const pt_regs &regs)
{
	TRACE();
	return ksys_write(number(regs.di), pointer<const void *>(regs.si), regs.dx);
}

static long __x64_sys_close(const pt_regs &regs)
{
	TRACE();
	return close_fd(number(regs.di));
}

static long __x64_sys_socket(const pt_regs &regs)
{
	TRACE();
	return __sys_socket(number(regs.di), number(regs.si), number(regs.dx));
}

static long __x64_sys_bind(const pt_regs &regs)
{
	TRACE();
	return __sys_bind(number(regs.di), pointer<const sockaddr *>(regs.si), number(regs.dx));
}

static long __x64_sys_listen(const pt_regs &regs)
{
	TRACE();
	return __sys_listen(number(regs.di), number(regs.si));
}

static long __x64_sys_accept4(const pt_regs &regs)
{
	TRACE();
	return __sys_accept4(number(regs.di), pointer<sockaddr *>(regs.si), pointer<int *>(regs.dx),
	                     number(regs.r10));
}

static long __x64_sys_accept(const pt_regs &regs)
{
	TRACE();
	return __sys_accept4(number(regs.di), pointer<sockaddr *>(regs.si), pointer<int *>(regs.dx), 0);
}

static long __x64_sys_connect(const pt_regs &regs)
{
	TRACE();
	return __sys_connect(number(regs.di), pointer<const sockaddr *>(regs.si), number(regs.dx));
}

static long __x64_sys_getsockname(const pt_regs &regs)
{
	TRACE();
	return __sys_getsockname(number(regs.di), pointer<sockaddr *>(regs.si), pointer<int *>(regs.dx));
}

static long __x64_sys_getpeername(const pt_regs &regs)
{
	TRACE();
	return __sys_getpeername(number(regs.di), pointer<sockaddr *>(regs.si), pointer<int *>(regs.dx));
}

static long __x64_sys_sendto(const pt_regs &regs)
{
	TRACE();
	return __sys_sendto(number(regs.di), pointer<void *>(regs.si), regs.dx, static_cast<u32>(regs.r10),
	                    pointer<const sockaddr *>(regs.r8), number(regs.r9));
}

static long __x64_sys_recvfrom(const pt_regs &regs)
{
	TRACE();
	return __sys_recvfrom(number(regs.di), pointer<void *>(regs.si), regs.dx, static_cast<u32>(regs.r10),
	                      pointer<sockaddr *>(regs.r8), pointer<int *>(regs.r9));
}

static long __x64_sys_setsockopt(const pt_regs &regs)
{
	TRACE();
	return __sys_setsockopt(number(regs.di), number(regs.si), number(regs.dx),
	                        pointer<const void *>(regs.r10), number(regs.r8));
}

static long __x64_sys_getsockopt(const pt_regs &regs)
{
	TRACE();
	return __sys_getsockopt(number(regs.di), number(regs.si), number(regs.dx), pointer<void *>(regs.r10),
	                        pointer<int *>(regs.r8));
}

static long __x64_sys_shutdown(const pt_regs &regs)
{
	TRACE();
	return __sys_shutdown(number(regs.di), number(regs.si));
}

// --- kernel/sched/core.c ---

static int get_user_cpu_mask(const void *user_mask_ptr, unsigned len, cpumask &new_mask)
{
	TRACE();
	if (!user_mask_ptr)
		return -EFAULT;
	new_mask = {};
	std::memcpy(&new_mask.bits, user_mask_ptr, std::min<std::size_t>(len, sizeof(new_mask.bits)));
	return 0;
}

static long __x64_sys_sched_setaffinity(const pt_regs &regs)
{
	TRACE();
	cpumask new_mask;

	if (const int ret = get_user_cpu_mask(pointer<const void *>(regs.dx), static_cast<unsigned>(regs.si),
	                                      new_mask))
		return ret;
	return sched_setaffinity(number(regs.di), new_mask);
}

long x64_sys_call(const pt_regs &regs, sys_nr nr)
{
	TRACE();
	switch (nr) {
	case sys_nr::read:
		return __x64_sys_read(regs);
	case sys_nr::write:
		return __x64_sys_write(regs);
	case sys_nr::close:
		return __x64_sys_close(regs);
	case sys_nr::poll:
		return __x64_sys_poll(regs);
	case sys_nr::socket:
		return __x64_sys_socket(regs);
	case sys_nr::connect:
		return __x64_sys_connect(regs);
	case sys_nr::accept:
		return __x64_sys_accept(regs);
	case sys_nr::sendto:
		return __x64_sys_sendto(regs);
	case sys_nr::recvfrom:
		return __x64_sys_recvfrom(regs);
	case sys_nr::shutdown:
		return __x64_sys_shutdown(regs);
	case sys_nr::bind:
		return __x64_sys_bind(regs);
	case sys_nr::listen:
		return __x64_sys_listen(regs);
	case sys_nr::getsockname:
		return __x64_sys_getsockname(regs);
	case sys_nr::getpeername:
		return __x64_sys_getpeername(regs);
	case sys_nr::setsockopt:
		return __x64_sys_setsockopt(regs);
	case sys_nr::getsockopt:
		return __x64_sys_getsockopt(regs);
	case sys_nr::sched_setaffinity:
		return __x64_sys_sched_setaffinity(regs);
	case sys_nr::epoll_wait:
		return __x64_sys_epoll_wait(regs);
	case sys_nr::epoll_ctl:
		return __x64_sys_epoll_ctl(regs);
	case sys_nr::accept4:
		return __x64_sys_accept4(regs);
	case sys_nr::epoll_create1:
		return __x64_sys_epoll_create1(regs);
	}
	return -ENOSYS;
}

static void syscall_exit_to_user_mode()
{
	TRACE();
	exit_to_user_mode_prepare();
}

void do_syscall_64(pt_regs &regs, sys_nr nr)
{
	TRACE();
	long ret = x64_sys_call(regs, nr);

	// What a signal leaves of an interrupted call: no handler asks for a restart.
	if (ret == -ERESTARTSYS || ret == -ERESTARTNOHAND || ret == -ERESTART_RESTARTBLOCK)
		ret = -EINTR;
	else if (ret == -ENOIOCTLCMD)
		ret = -ENOTTY;
	regs.ax = static_cast<u64>(ret);
	syscall_exit_to_user_mode();
}

void entry_SYSCALL_64_after_hwframe(pt_regs &regs)
{
	TRACE();
	charge_syscall();
	do_syscall_64(regs, static_cast<sys_nr>(regs.orig_ax));
}

} // namespace skbwalk
