// SPDX-License-Identifier: GPL-2.0-only
//
// security/security.c: from a call in the stack to the modules' functions. An integer hook ends at the first
// answer that is not zero; a void hook calls all. Blobs that modules keep with a socket are one allocation,
// made in security_sk_alloc and freed in security_sk_free; so are those of files and inodes.
#include "stack/security/security.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "stack/core/flow.h"
#include "stack/core/request_sock.h"
#include "stack/core/sock.h"
#include "stack/kernel/file.h"
#include "stack/kernel/percpu.h"
#include "stack/security/capability.h"

namespace skbwalk {

namespace {

perhost<security_hook_heads> hook_heads;
perhost<bool> selinux_enabled;

template <class... P, class... A> int call_int_hook(const std::vector<int (*)(P...)> &hooks, A &&...args)
{
	for (const auto hook : hooks)
		if (const int rc = hook(args...))
			return rc;
	return 0;
}

template <class... P, class... A> void call_void_hook(const std::vector<void (*)(P...)> &hooks, A &&...args)
{
	for (const auto hook : hooks)
		hook(args...);
}

} // namespace

// not traced: the kernel has a global variable here
security_hook_heads &lsm_hooks() { return *hook_heads; }

int security_capable(const cred &cred, const user_namespace &ns, int cap, unsigned opts)
{
	TRACE();
	if (const int rc = cap_capable(cred, ns, cap, opts))
		return rc;
	return call_int_hook(hook_heads->capable, cred, ns, cap, opts);
}

// not traced: the kernel's runs before ftrace is there
bool security_init(const std::vector<std::string> &order)
{
	for (const std::string &name : order) {
		if (name == "selinux" && !*selinux_enabled) {
			*selinux_enabled = true;
			security_add_hooks_selinux();
		} else if (name == "bpf") {
			security_add_hooks_bpf();
		} else {
			return false;
		}
	}
	return true;
}

// not traced: as security_init
void security_initcalls()
{
	if (*selinux_enabled)
		selinux_nf_ip_init();
}

// not traced: a kernel does not end
void security_exit()
{
	if (*selinux_enabled)
		selinux_exit();
}

namespace {

// A blob of the modules', zeroed. 0 or -ENOMEM.
int lsm_blob_alloc(void *&blob, u32 bytes)
{
	blob = nullptr;
	if (!bytes)
		return 0;
	blob = __kmalloc(bytes, GFP_KERNEL);
	if (!blob)
		return -ENOMEM;
	std::memset(blob, 0, bytes);
	return 0;
}

} // namespace

static int lsm_inode_alloc(socket &inode)
{
	TRACE(inode.sk);
	return lsm_blob_alloc(inode.i_security, hook_heads->lbs_inode);
}

int security_inode_alloc(socket &inode)
{
	TRACE(inode.sk);
	int rc = lsm_inode_alloc(inode);

	if (rc)
		return rc;
	rc = call_int_hook(hook_heads->inode_alloc_security, inode);
	if (rc)
		security_inode_free(inode);
	return rc;
}

void security_inode_free(socket &inode)
{
	TRACE(inode.sk);
	call_void_hook(hook_heads->inode_free_security, inode);
	kfree(inode.i_security);
	inode.i_security = nullptr;
}

static int lsm_file_alloc(file &f)
{
	TRACE();
	return lsm_blob_alloc(f.f_security, hook_heads->lbs_file);
}

int security_file_alloc(file &f)
{
	TRACE();
	int rc = lsm_file_alloc(f);

	if (rc)
		return rc;
	rc = call_int_hook(hook_heads->file_alloc_security, f);
	if (rc)
		security_file_free(f);
	return rc;
}

int security_file_permission(file &f, int mask)
{
	TRACE();
	return call_int_hook(hook_heads->file_permission, f, mask);
}

void security_file_free(file &f)
{
	TRACE();
	call_void_hook(hook_heads->file_free_security, f);
	if (f.f_security)
		kfree(std::exchange(f.f_security, nullptr));
}

int security_socket_create(int family, int type, int protocol, bool kern)
{
	TRACE();
	return call_int_hook(hook_heads->socket_create, family, type, protocol, kern);
}

int security_socket_post_create(socket &sock, int family, int type, int protocol, bool kern)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_post_create, sock, family, type, protocol, kern);
}

int security_socket_bind(socket &sock, sockaddr_storage &address, int addrlen)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_bind, sock, address, addrlen);
}

int security_socket_connect(socket &sock, sockaddr_storage &address, int addrlen)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_connect, sock, address, addrlen);
}

int security_socket_listen(socket &sock, int backlog)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_listen, sock, backlog);
}

int security_socket_accept(socket &sock, socket &newsock)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_accept, sock, newsock);
}

int security_socket_sendmsg(socket &sock, msghdr &msg, int size)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_sendmsg, sock, msg, size);
}

int security_socket_recvmsg(socket &sock, msghdr &msg, int size, int flags)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_recvmsg, sock, msg, size, flags);
}

int security_socket_getsockname(socket &sock)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_getsockname, sock);
}

int security_socket_getpeername(socket &sock)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_getpeername, sock);
}

int security_socket_getsockopt(socket &sock, int level, int optname)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_getsockopt, sock, level, optname);
}

int security_socket_setsockopt(socket &sock, int level, int optname)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_setsockopt, sock, level, optname);
}

int security_socket_shutdown(socket &sock, int how)
{
	TRACE(sock.sk);
	return call_int_hook(hook_heads->socket_shutdown, sock, how);
}

int security_sock_rcv_skb(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	return call_int_hook(hook_heads->socket_sock_rcv_skb, sk, skb);
}

int security_socket_getpeersec_stream(socket &sock, void *optval, int &optlen)
{
	TRACE(sock.sk);
	// Without a module that knows, there is no such option.
	return hook_heads->socket_getpeersec_stream.empty()
	               ? -ENOPROTOOPT
	               : call_int_hook(hook_heads->socket_getpeersec_stream, sock, optval, optlen);
}

static int lsm_sock_alloc(sock &sk, gfp_t priority)
{
	TRACE(sk);
	sk.sk_security = nullptr;
	const u32 bytes = hook_heads->lbs_sock;

	if (!bytes)
		return 0;
	sk.sk_security = __kmalloc(bytes, priority);
	if (!sk.sk_security)
		return -ENOMEM;
	std::memset(sk.sk_security, 0, bytes);
	return 0;
}

int security_sk_alloc(sock &sk, u16 family, gfp_t priority)
{
	TRACE(sk);
	int rc = lsm_sock_alloc(sk, priority);

	if (rc)
		return rc;
	rc = call_int_hook(hook_heads->sk_alloc_security, sk, family, priority);
	if (rc)
		security_sk_free(sk);
	return rc;
}

void security_sk_free(sock &sk)
{
	TRACE(sk);
	call_void_hook(hook_heads->sk_free_security, sk);
	kfree(sk.sk_security);
	sk.sk_security = nullptr;
}

void security_sk_clone(const sock &sk, sock &newsk)
{
	TRACE(sk);
	call_void_hook(hook_heads->sk_clone_security, sk, newsk);
}

void security_sk_classify_flow(const sock &sk, flowi4 &fl)
{
	TRACE(sk);
	call_void_hook(hook_heads->sk_getsecid, sk, fl.flowi4_secid);
}

void security_req_classify_flow(const request_sock &req, flowi4 &fl)
{
	TRACE();
	call_void_hook(hook_heads->req_classify_flow, req, fl);
}

void security_sock_graft(sock &sk, socket &parent)
{
	TRACE(sk);
	call_void_hook(hook_heads->sock_graft, sk, parent);
}

int security_inet_conn_request(const sock &sk, sk_buff &skb, request_sock &req)
{
	TRACE(sk, skb);
	return call_int_hook(hook_heads->inet_conn_request, sk, skb, req);
}

void security_inet_csk_clone(sock &newsk, const request_sock &req)
{
	TRACE(newsk);
	call_void_hook(hook_heads->inet_csk_clone, newsk, req);
}

void security_inet_conn_established(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	call_void_hook(hook_heads->inet_conn_established, sk, skb);
}

int security_tun_dev_alloc_security(void *&security)
{
	TRACE();
	return call_int_hook(hook_heads->tun_dev_alloc_security, security);
}

void security_tun_dev_free_security(void *security)
{
	TRACE();
	call_void_hook(hook_heads->tun_dev_free_security, security);
}

int security_tun_dev_attach_queue(void *security)
{
	TRACE();
	return call_int_hook(hook_heads->tun_dev_attach_queue, security);
}

int security_tun_dev_create()
{
	TRACE();
	return call_int_hook(hook_heads->tun_dev_create);
}

int security_tun_dev_open(void *security)
{
	TRACE();
	return call_int_hook(hook_heads->tun_dev_open, security);
}

int security_tun_dev_attach(sock &sk, void *security)
{
	TRACE(sk);
	return call_int_hook(hook_heads->tun_dev_attach, sk, security);
}

int security_xfrm_decode_session(sk_buff &skb, u32 &secid)
{
	TRACE(skb);
	return call_int_hook(hook_heads->xfrm_decode_session, skb, secid, 1);
}

void security_skb_classify_flow(sk_buff &skb, flowi4 &fl)
{
	TRACE(skb);
	[[maybe_unused]] const int rc =
		call_int_hook(hook_heads->xfrm_decode_session, skb, fl.flowi4_secid, 0);

	assert(!rc);
}

} // namespace skbwalk
