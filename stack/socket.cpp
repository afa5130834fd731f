// SPDX-License-Identifier: GPL-2.0-only
//
// net/socket.c, first part: the struct socket between a descriptor and a protocol's sock. __sock_create makes
// one (an inode of sockfs, then the family's create), sock_alloc_file gives it a file; reads, writes and
// polls of the file come in by its file_operations; the last close ends in sock_close, which releases the
// protocol's part, and the inode goes when the file's reference to it does. System calls are in
// socket_syscalls.cpp. Left out: socketpair, sendpage, ioctl, async signals.
#include "stack/socket.h"

#include <new>

#include "stack/core/busy_poll.h"
#include "stack/core/net_namespace.h"
#include "stack/core/sock.h"
#include "stack/security/security.h"
#include "stack/socket_private.h"

namespace skbwalk {

namespace {

constexpr int family_count = 46;
constexpr int SOCK_MAX = SOCK_PACKET + 1;

struct socket_globals {
	std::array<const net_proto_family *, family_count> net_families{};
	kmem_cache *sock_inode_cachep = nullptr;
	u32 last_ino = 0;
};
perhost<socket_globals> sockets;

} // namespace

// --- inodes of sockfs ---

static socket *sock_alloc_inode()
{
	TRACE();
	void *memory = kmem_cache_alloc_lru(*sockets->sock_inode_cachep, GFP_KERNEL);

	if (!memory)
		return nullptr;
	auto *sock = ::new (memory) socket;
	sock->wq = std::make_shared<socket_wq>();
	init_waitqueue_head(sock->wq->wait);
	return sock;
}

static void sock_free_inode(socket &sock)
{
	TRACE();
	sock.~socket();
	kmem_cache_free(*sockets->sock_inode_cachep, &sock);
}

// not traced: container_of, in the kernel
static socket &of_rcu(rcu_head &head)
{
	return *reinterpret_cast<socket *>(reinterpret_cast<std::byte *>(&head) - offsetof(socket, i_rcu));
}

static void i_callback(rcu_head *head)
{
	TRACE();
	sock_free_inode(of_rcu(*head));
}

// The inode outlives its last user by a grace period.
static void destroy_inode(socket &sock)
{
	TRACE();
	if (sock.i_security)
		security_inode_free(sock);
	call_rcu(sock.i_rcu, i_callback);
}

static socket *alloc_inode()
{
	TRACE();
	socket *sock = sock_alloc_inode();

	// Unlike the kernel, modules are asked only where one keeps something with inodes.
	if (sock && lsm_hooks().lbs_inode && security_inode_alloc(*sock)) {
		sock_free_inode(*sock);
		return nullptr;
	}
	return sock;
}

static socket *new_inode_pseudo()
{
	TRACE();
	return alloc_inode();
}

static u32 get_next_ino()
{
	TRACE();
	if (!++sockets->last_ino)
		++sockets->last_ino;
	return sockets->last_ino;
}

socket *sock_alloc()
{
	TRACE();
	socket *sock = new_inode_pseudo();

	if (!sock)
		return nullptr;
	sock->i_ino = get_next_ino();
	sock->i_uid = 0; // tasks are root
	return sock;
}

static void __sock_release(socket &sock)
{
	TRACE(sock.sk);
	if (sock.ops) {
		sock.ops->release(sock);
		sock.sk = nullptr;
		sock.ops = nullptr;
	}
	if (!sock.file) {
		destroy_inode(sock);
		return;
	}
	sock.file = nullptr;
}

void sock_release(socket &sock)
{
	TRACE(sock.sk);
	__sock_release(sock);
}

// --- the file ---

static long sock_read_iter(file &f, void *buf, std::size_t n)
{
	TRACE();
	socket &sock = *static_cast<socket *>(f.private_data);
	msghdr msg;

	msg.msg_iter = {static_cast<u8 *>(buf), n, 0, false};
	if (f.f_flags & O_NONBLOCK_FLAG)
		msg.msg_flags = MSG_DONTWAIT;
	if (!n)
		return 0;
	return sock_recvmsg(sock, msg, msg.msg_flags);
}

static long sock_write_iter(file &f, const void *buf, std::size_t n)
{
	TRACE();
	socket &sock = *static_cast<socket *>(f.private_data);
	msghdr msg;

	msg.msg_iter = {const_cast<u8 *>(static_cast<const u8 *>(buf)), n, 0, true};
	if (f.f_flags & O_NONBLOCK_FLAG)
		msg.msg_flags = MSG_DONTWAIT;
	return __sock_sendmsg(sock, msg);
}

static u32 sock_poll(file &f, poll_table *wait)
{
	TRACE();
	socket &sock = *static_cast<socket *>(f.private_data);

	const u32 events = wait ? wait->key : ~0u;
	u32 flag = 0;

	if (!sock.ops->poll)
		return 0;
	if (sk_can_busy_loop(*sock.sk)) {
		if (events & POLL_BUSY_LOOP) // once, for a poll() that does it again and again
			sk_busy_loop(*sock.sk, true);
		flag = POLL_BUSY_LOOP;
	}
	return sock.ops->poll(f, sock, wait) | flag;
}

static int sock_close(file &f)
{
	TRACE();
	__sock_release(*static_cast<socket *>(f.private_data));
	return 0;
}

// The file lets go of its inode (dput) and of what security modules keep with it.
// not traced: a part of its callers
static void drop_inode(file &f)
{
	destroy_inode(*static_cast<socket *>(f.private_data));
	security_file_free(f);
}

static const file_operations socket_file_ops = {
	.name = "socket:",
	.poll = sock_poll,
	.release = sock_close,
	.read_iter = sock_read_iter,
	.write_iter = sock_write_iter,
	.put = drop_inode,
};

file *sock_alloc_file(socket &sock, u32 flags)
{
	TRACE(sock.sk);
	file *f = alloc_file_pseudo(socket_file_ops, &sock, flags & O_NONBLOCK_FLAG);

	// Unlike the kernel, modules are asked only where one keeps something with files, and after
	// alloc_file_pseudo.
	if (f && lsm_hooks().lbs_file && security_file_alloc(*f)) {
		fput(*f);
		return nullptr;
	}
	if (!f) {
		sock_release(sock);
		return nullptr;
	}
	sock.file = f;
	return f;
}

socket *sock_from_file(file &f)
{
	TRACE();
	return f.f_op == &socket_file_ops ? static_cast<socket *>(f.private_data) : nullptr;
}

// not traced: for looking at state from outside
socket *socket_of_fd(const task_struct &t, int fd)
{
	if (!t.files || fd < 0 || static_cast<std::size_t>(fd) >= t.files->fd.size())
		return nullptr;
	file *f = t.files->fd[static_cast<std::size_t>(fd)];

	return f && f->f_op == &socket_file_ops ? static_cast<socket *>(f->private_data) : nullptr;
}

// --- making one ---

int __sock_create(net &net, int family, int type, int protocol, socket *&res, bool kern)
{
	TRACE();
	if (family < 0 || family >= family_count)
		return -EAFNOSUPPORT;
	if (type < 0 || type >= SOCK_MAX)
		return -EINVAL;
	if (family == PF_INET && type == SOCK_PACKET)
		family = PF_PACKET;
	int err = security_socket_create(family, type, protocol, kern);
	if (err)
		return err;

	socket *sock = sock_alloc();
	if (!sock)
		return -ENFILE;
	sock->type = static_cast<u16>(type);
	const net_proto_family *pf = sockets->net_families[static_cast<std::size_t>(family)];
	if (!pf) {
		sock_release(*sock);
		return -EAFNOSUPPORT;
	}
	err = pf->create(net, *sock, protocol, kern);
	if (err < 0) {
		sock->sk = nullptr;
		sock->ops = nullptr;
		sock_release(*sock);
		return err;
	}
	err = security_socket_post_create(*sock, family, type, protocol, kern);
	if (err) {
		sock_release(*sock);
		return err;
	}
	res = sock;
	return 0;
}

int sock_create(int family, int type, int protocol, socket *&res)
{
	TRACE();
	return __sock_create(*current.task->nsproxy_net, family, type, protocol, res, false);
}

// --- messages ---

static int sock_sendmsg_nosec(socket &sock, msghdr &msg)
{
	TRACE_INLINE(sock.sk);
	return sock.ops->sendmsg(sock, msg, msg_data_left(msg));
}

int __sock_sendmsg(socket &sock, msghdr &msg)
{
	TRACE(sock.sk);
	const int err = security_socket_sendmsg(sock, msg, static_cast<int>(msg_data_left(msg)));

	return err ? err : sock_sendmsg_nosec(sock, msg);
}

static int sock_recvmsg_nosec(socket &sock, msghdr &msg, int flags)
{
	TRACE_INLINE(sock.sk);
	return sock.ops->recvmsg(sock, msg, msg_data_left(msg), flags);
}

int sock_recvmsg(socket &sock, msghdr &msg, int flags)
{
	TRACE(sock.sk);
	const int err = security_socket_recvmsg(sock, msg, static_cast<int>(msg_data_left(msg)), flags);

	return err ? err : sock_recvmsg_nosec(sock, msg, flags);
}

// --- families ---

int sock_register(const net_proto_family &ops)
{
	TRACE();
	if (ops.family >= family_count)
		return -ENOBUFS;
	const net_proto_family *&slot = sockets->net_families[ops.family];
	if (slot)
		return -EEXIST;
	slot = &ops;
	return 0;
}

void sock_init()
{
	TRACE();
	skb_init();
	sockets->sock_inode_cachep = &kmem_cache_create("sock_inode_cache", sizeof(socket), alignof(socket));
}

} // namespace skbwalk
