// SPDX-License-Identifier: GPL-2.0-only
//
// net/socket.c, second part: the system calls on sockets. Each finds the socket behind the descriptor
// (borrowed where the task alone uses its table), moves an address in, asks the security modules, calls the
// family's operation, and moves an address out. Pointers are the caller's memory; null where one is needed
// gives EFAULT.
#include <algorithm>
#include <cstring>

#include "stack/core/net_namespace.h"
#include "stack/security/security.h"
#include "stack/socket_private.h"

namespace skbwalk {

// What the kernel encodes in one pointer.
struct file_or_err {
	file *f = nullptr;
	int err = 0;
};
struct socket_or_err {
	socket *sock = nullptr;
	int err = 0;
};

int move_addr_to_kernel(const sockaddr *uaddr, int ulen, sockaddr_storage &kaddr)
{
	TRACE();
	if (ulen < 0 || ulen > static_cast<int>(sizeof(kaddr)))
		return -EINVAL;
	if (!ulen)
		return 0;
	if (!uaddr)
		return -EFAULT;
	std::memcpy(kaddr.bytes, uaddr, static_cast<std::size_t>(ulen));
	return 0;
}

// The address is cut to the room there is, and its full length reported.
static int move_addr_to_user(const sockaddr_storage &kaddr, int klen, sockaddr *uaddr, int *ulen)
{
	TRACE();
	if (!ulen)
		return -EFAULT;
	const int len = std::min(*ulen, klen);
	if (len < 0)
		return -EINVAL;
	if (len) {
		if (!uaddr)
			return -EFAULT;
		std::memcpy(uaddr, kaddr.bytes, static_cast<std::size_t>(len));
	}
	*ulen = klen;
	return 0;
}

static void fput_light(file *f, bool fput_needed)
{
	TRACE_INLINE();
	if (fput_needed)
		fput(*f);
}

static socket *sockfd_lookup_light(int fd, int &err, bool &fput_needed)
{
	TRACE();
	const fd_ref f = __fdget(fd);

	err = -EBADF;
	if (f.f) {
		if (socket *sock = sock_from_file(*f.f)) {
			fput_needed = f.need_put;
			err = 0;
			return sock;
		}
		err = -ENOTSOCK;
		fdput(f);
	}
	return nullptr;
}

static int sock_map_fd(socket &sock, u32 flags)
{
	TRACE(sock.sk);
	const int fd = get_unused_fd_flags(flags);

	if (fd < 0) {
		sock_release(sock);
		return fd;
	}
	file *f = sock_alloc_file(sock, flags);
	if (!f) {
		put_unused_fd(fd);
		return -ENFILE;
	}
	fd_install(fd, *f);
	return fd;
}

static socket_or_err __sys_socket_create(int family, int type, int protocol)
{
	TRACE();
	if ((type & ~SOCK_TYPE_MASK) & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return {nullptr, -EINVAL};
	socket *sock = nullptr;
	const int err = sock_create(family, type & SOCK_TYPE_MASK, protocol, sock);

	return {sock, err};
}

long __sys_socket(int family, int type, int protocol)
{
	TRACE();
	const socket_or_err made = __sys_socket_create(family, type, protocol);

	if (!made.sock)
		return made.err;
	return sock_map_fd(*made.sock, static_cast<u32>(type & (SOCK_CLOEXEC | SOCK_NONBLOCK)));
}

long __sys_bind(int fd, const sockaddr *umyaddr, int addrlen)
{
	TRACE();
	int err;
	bool fput_needed;
	sockaddr_storage address;

	if (socket *sock = sockfd_lookup_light(fd, err, fput_needed)) {
		err = move_addr_to_kernel(umyaddr, addrlen, address);
		if (!err) {
			err = security_socket_bind(*sock, address, addrlen);
			if (!err)
				err = sock->ops->bind(*sock, address, addrlen);
		}
		fput_light(sock->file, fput_needed);
	}
	return err;
}

long __sys_listen(int fd, int backlog)
{
	TRACE();
	int err;
	bool fput_needed;

	if (socket *sock = sockfd_lookup_light(fd, err, fput_needed)) {
		const int somaxconn = sock_net(*sock->sk).core.sysctl_somaxconn;

		if (static_cast<u32>(backlog) > static_cast<u32>(somaxconn))
			backlog = somaxconn;
		err = security_socket_listen(*sock, backlog);
		if (!err)
			err = sock->ops->listen(*sock, backlog);
		fput_light(sock->file, fput_needed);
	}
	return err;
}

// not traced: a part of its caller, as in the kernel
static int finish_accept(socket &sock, socket &newsock, u32 file_flags, sockaddr *upeer_sockaddr,
                         int *upeer_addrlen)
{
	int err = security_socket_accept(sock, newsock);

	if (err)
		return err;
	err = sock.ops->accept(sock, newsock, static_cast<int>(sock.file->f_flags | file_flags), false);
	if (err < 0 || !upeer_sockaddr)
		return err;
	sockaddr_storage address;
	const int len = newsock.ops->getname(newsock, address, 2);
	if (len < 0)
		return -ECONNABORTED;
	return move_addr_to_user(address, len, upeer_sockaddr, upeer_addrlen);
}

static file_or_err do_accept(file &f, u32 file_flags, sockaddr *upeer_sockaddr, int *upeer_addrlen, u32 flags)
{
	TRACE();
	socket *sock = sock_from_file(f);

	if (!sock)
		return {nullptr, -ENOTSOCK};
	socket *newsock = sock_alloc();
	if (!newsock)
		return {nullptr, -ENFILE};
	newsock->type = sock->type;
	newsock->ops = sock->ops;
	file *newfile = sock_alloc_file(*newsock, flags);
	if (!newfile)
		return {nullptr, -ENFILE};
	const int err = finish_accept(*sock, *newsock, file_flags, upeer_sockaddr, upeer_addrlen);
	if (err < 0) {
		fput(*newfile);
		return {nullptr, err};
	}
	return {newfile, 0};
}

static int __sys_accept4_file(file &f, sockaddr *upeer_sockaddr, int *upeer_addrlen, int flags)
{
	TRACE();
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	const int newfd = get_unused_fd_flags(static_cast<u32>(flags));
	if (newfd < 0)
		return newfd;
	const file_or_err made = do_accept(f, 0, upeer_sockaddr, upeer_addrlen, static_cast<u32>(flags));
	if (!made.f) {
		put_unused_fd(newfd);
		return made.err;
	}
	fd_install(newfd, *made.f);
	return newfd;
}

long __sys_accept4(int fd, sockaddr *upeer_sockaddr, int *upeer_addrlen, int flags)
{
	TRACE();
	const fd_ref f = __fdget(fd);

	if (!f.f)
		return -EBADF;
	const int ret = __sys_accept4_file(*f.f, upeer_sockaddr, upeer_addrlen, flags);
	fdput(f);
	return ret;
}

static int __sys_connect_file(file &f, sockaddr_storage &address, int addrlen, u32 file_flags)
{
	TRACE();
	socket *sock = sock_from_file(f);

	if (!sock)
		return -ENOTSOCK;
	const int err = security_socket_connect(*sock, address, addrlen);
	if (err)
		return err;
	return sock->ops->connect(*sock, address, addrlen,
	                          static_cast<int>(sock->file->f_flags | file_flags));
}

long __sys_connect(int fd, const sockaddr *uservaddr, int addrlen)
{
	TRACE();
	const fd_ref f = __fdget(fd);
	sockaddr_storage address;

	if (!f.f)
		return -EBADF;
	int ret = move_addr_to_kernel(uservaddr, addrlen, address);
	if (!ret)
		ret = __sys_connect_file(*f.f, address, addrlen, 0);
	fdput(f);
	return ret;
}

long __sys_getsockname(int fd, sockaddr *usockaddr, int *usockaddr_len)
{
	TRACE();
	int err;
	bool fput_needed;
	sockaddr_storage address;
	socket *sock = sockfd_lookup_light(fd, err, fput_needed);

	if (!sock)
		return err;
	err = security_socket_getsockname(*sock);
	if (!err) {
		err = sock->ops->getname(*sock, address, 0); // the address's length
		if (err >= 0)
			err = move_addr_to_user(address, err, usockaddr, usockaddr_len);
	}
	fput_light(sock->file, fput_needed);
	return err;
}

long __sys_getpeername(int fd, sockaddr *usockaddr, int *usockaddr_len)
{
	TRACE();
	int err;
	bool fput_needed;
	sockaddr_storage address;
	socket *sock = sockfd_lookup_light(fd, err, fput_needed);

	if (!sock)
		return err;
	err = security_socket_getpeername(*sock);
	if (!err) {
		err = sock->ops->getname(*sock, address, 1); // the address's length
		if (err >= 0)
			err = move_addr_to_user(address, err, usockaddr, usockaddr_len);
	}
	fput_light(sock->file, fput_needed);
	return err;
}

long __sys_sendto(int fd, void *buff, std::size_t len, u32 flags, const sockaddr *addr, int addr_len)
{
	TRACE();
	// What only the kernel itself may ask for.
	constexpr u32 MSG_INTERNAL_SENDMSG_FLAGS = MSG_SENDPAGE_NOTLAST | 0x8000000 | 0x10000;
	msghdr msg;
	sockaddr_storage address;
	bool fput_needed;
	int err = import_single_range(true, buff, len, msg.msg_iter);

	if (err)
		return err;
	socket *sock = sockfd_lookup_light(fd, err, fput_needed);
	if (!sock)
		return err;
	if (addr) {
		err = move_addr_to_kernel(addr, addr_len, address);
		msg.msg_name = &address;
		msg.msg_namelen = addr_len;
	}
	if (err >= 0) {
		flags &= ~MSG_INTERNAL_SENDMSG_FLAGS;
		if (sock->file->f_flags & O_NONBLOCK_FLAG)
			flags |= MSG_DONTWAIT;
		msg.msg_flags = static_cast<int>(flags);
		err = __sock_sendmsg(*sock, msg);
	}
	fput_light(sock->file, fput_needed);
	return err;
}

long __sys_recvfrom(int fd, void *ubuf, std::size_t size, u32 flags, sockaddr *addr, int *addr_len)
{
	TRACE();
	msghdr msg;
	sockaddr_storage address;
	bool fput_needed;
	int err = import_single_range(false, ubuf, size, msg.msg_iter);

	if (err)
		return err;
	if (addr)
		msg.msg_name = &address;
	socket *sock = sockfd_lookup_light(fd, err, fput_needed);
	if (!sock)
		return err;
	if (sock->file->f_flags & O_NONBLOCK_FLAG)
		flags |= MSG_DONTWAIT;
	err = sock_recvmsg(*sock, msg, static_cast<int>(flags));
	if (err >= 0 && addr) {
		const int err2 = move_addr_to_user(address, msg.msg_namelen, addr, addr_len);

		if (err2 < 0)
			err = err2;
	}
	fput_light(sock->file, fput_needed);
	return err;
}

long __sys_setsockopt(int fd, int level, int optname, const void *optval, int optlen)
{
	TRACE();
	int err;
	bool fput_needed;

	if (optlen < 0)
		return -EINVAL;
	socket *sock = sockfd_lookup_light(fd, err, fput_needed);
	if (!sock)
		return err;
	err = security_socket_setsockopt(*sock, level, optname);
	if (!err) {
		if (!optval && optlen)
			err = -EFAULT;
		else if (level == SOL_SOCKET)
			err = sock_setsockopt(*sock, level, optname, optval, static_cast<u32>(optlen));
		else if (!sock->ops->setsockopt)
			err = -EOPNOTSUPP;
		else
			err = sock->ops->setsockopt(*sock, level, optname, optval, static_cast<u32>(optlen));
	}
	fput_light(sock->file, fput_needed);
	return err;
}

long __sys_getsockopt(int fd, int level, int optname, void *optval, int *optlen)
{
	TRACE();
	int err;
	bool fput_needed;
	socket *sock = sockfd_lookup_light(fd, err, fput_needed);

	if (!sock)
		return err;
	err = security_socket_getsockopt(*sock, level, optname);
	if (!err) {
		if (!optlen || (!optval && *optlen))
			err = -EFAULT;
		else if (level == SOL_SOCKET)
			err = sock_getsockopt(*sock, level, optname, optval, *optlen);
		else if (!sock->ops->getsockopt)
			err = -EOPNOTSUPP;
		else
			err = sock->ops->getsockopt(*sock, level, optname, optval, *optlen);
	}
	fput_light(sock->file, fput_needed);
	return err;
}

static int __sys_shutdown_sock(socket &sock, int how)
{
	TRACE(sock.sk);
	const int err = security_socket_shutdown(sock, how);

	return err ? err : sock.ops->shutdown(sock, how);
}

long __sys_shutdown(int fd, int how)
{
	TRACE();
	int err;
	bool fput_needed;

	if (socket *sock = sockfd_lookup_light(fd, err, fput_needed)) {
		err = __sys_shutdown_sock(*sock, how);
		fput_light(sock->file, fput_needed);
	}
	return err;
}

} // namespace skbwalk
