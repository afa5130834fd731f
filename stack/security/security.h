// SPDX-License-Identifier: GPL-2.0-only
//
// Security hooks (include/linux/security.h, lsm_hook_defs.h): each security_*() asks every module that
// registered, the first that says no decides. With no module the lists are empty and the answer is the
// default. Knows the rooms below by name only.
#pragma once

#include <string>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk {

struct cred;
struct file;
struct flowi4;
struct msghdr;
struct request_sock;
struct sk_buff;
struct sock;
struct sockaddr_storage;
struct socket;
struct user_namespace;

// clang-format off
// One list for each: return type, name of the hook, parameters.
#define SKBWALK_LSM_HOOKS(X) \
	X(int, capable, (const cred &cred, const user_namespace &ns, int cap, unsigned opts)) \
	X(int, file_alloc_security, (file &f)) \
	X(void, file_free_security, (file &f)) \
	X(int, file_permission, (file &f, int mask)) \
	X(int, inode_alloc_security, (socket &inode)) \
	X(void, inode_free_security, (socket &inode)) \
	X(int, socket_create, (int family, int type, int protocol, bool kern)) \
	X(int, socket_post_create, (socket &sock, int family, int type, int protocol, bool kern)) \
	X(int, socket_bind, (socket &sock, sockaddr_storage &address, int addrlen)) \
	X(int, socket_connect, (socket &sock, sockaddr_storage &address, int addrlen)) \
	X(int, socket_listen, (socket &sock, int backlog)) \
	X(int, socket_accept, (socket &sock, socket &newsock)) \
	X(int, socket_sendmsg, (socket &sock, msghdr &msg, int size)) \
	X(int, socket_recvmsg, (socket &sock, msghdr &msg, int size, int flags)) \
	X(int, socket_getsockname, (socket &sock)) \
	X(int, socket_getpeername, (socket &sock)) \
	X(int, socket_getsockopt, (socket &sock, int level, int optname)) \
	X(int, socket_setsockopt, (socket &sock, int level, int optname)) \
	X(int, socket_shutdown, (socket &sock, int how)) \
	X(int, socket_sock_rcv_skb, (skbwalk::sock &sk, sk_buff &skb)) \
	X(int, socket_getpeersec_stream, (socket &sock, void *optval, int &optlen)) \
	X(int, sk_alloc_security, (sock &sk, u16 family, gfp_t priority)) \
	X(void, sk_free_security, (sock &sk)) \
	X(void, sk_clone_security, (const sock &sk, sock &newsk)) \
	X(void, sk_getsecid, (const sock &sk, u32 &secid)) \
	X(void, sock_graft, (sock &sk, socket &parent)) \
	X(int, inet_conn_request, (const sock &sk, sk_buff &skb, request_sock &req)) \
	X(void, inet_csk_clone, (sock &newsk, const request_sock &req)) \
	X(void, inet_conn_established, (sock &sk, sk_buff &skb)) \
	X(void, req_classify_flow, (const request_sock &req, flowi4 &fl)) \
	X(int, tun_dev_alloc_security, (void *&security)) \
	X(void, tun_dev_free_security, (void *security)) \
	X(int, tun_dev_create, ()) \
	X(int, tun_dev_attach_queue, (void *security)) \
	X(int, tun_dev_open, (void *security)) \
	X(int, tun_dev_attach, (sock &sk, void *security)) \
	X(int, xfrm_decode_session, (sk_buff &skb, u32 &secid, int ckall))
// clang-format on

// The modules' functions, in order of registration; of the current host.
struct security_hook_heads {
#define SKBWALK_X(ret, name, params) std::vector<ret(*) params> name;
	SKBWALK_LSM_HOOKS(SKBWALK_X)
#undef SKBWALK_X
	// Bytes that the modules together keep with an object.
	u32 lbs_sock = 0, lbs_inode = 0, lbs_file = 0;
};
security_hook_heads &lsm_hooks();

// Which modules a host has, in the order in which they are asked (the kernel's lsm= parameter). Before
// anything else of the host exists. False: there is no module of that name.
[[nodiscard]] bool security_init(const std::vector<std::string> &order);
void security_add_hooks_selinux(); // each registers its functions and how much it keeps
void security_add_hooks_bpf();
// Once IPv4 is there: what modules register with it. And the end of a host, when its sockets are gone.
void security_initcalls();
void security_exit();
void selinux_nf_ip_init();
void selinux_exit();

// The inode of a socket is the struct socket itself.
[[nodiscard]] int security_inode_alloc(socket &inode);
void security_inode_free(socket &inode);
[[nodiscard]] int security_file_alloc(file &f);
[[nodiscard]] int security_file_permission(file &f, int mask);
void security_file_free(file &f);
[[nodiscard]] int security_socket_create(int family, int type, int protocol, bool kern);
[[nodiscard]] int security_socket_post_create(socket &sock, int family, int type, int protocol, bool kern);
[[nodiscard]] int security_socket_bind(socket &sock, sockaddr_storage &address, int addrlen);
[[nodiscard]] int security_socket_connect(socket &sock, sockaddr_storage &address, int addrlen);
[[nodiscard]] int security_socket_listen(socket &sock, int backlog);
[[nodiscard]] int security_socket_accept(socket &sock, socket &newsock);
[[nodiscard]] int security_socket_sendmsg(socket &sock, msghdr &msg, int size);
[[nodiscard]] int security_socket_recvmsg(socket &sock, msghdr &msg, int size, int flags);
[[nodiscard]] int security_socket_getsockname(socket &sock);
[[nodiscard]] int security_socket_getpeername(socket &sock);
[[nodiscard]] int security_socket_getsockopt(socket &sock, int level, int optname);
[[nodiscard]] int security_socket_setsockopt(socket &sock, int level, int optname);
[[nodiscard]] int security_socket_shutdown(socket &sock, int how);
[[nodiscard]] int security_sock_rcv_skb(sock &sk, sk_buff &skb);
[[nodiscard]] int security_socket_getpeersec_stream(socket &sock, void *optval, int &optlen);
[[nodiscard]] int security_sk_alloc(sock &sk, u16 family, gfp_t priority);
void security_sk_free(sock &sk);
void security_sk_clone(const sock &sk, sock &newsk);
void security_sk_classify_flow(const sock &sk, flowi4 &fl);
void security_req_classify_flow(const request_sock &req, flowi4 &fl);
void security_sock_graft(sock &sk, socket &parent);
[[nodiscard]] int security_inet_conn_request(const sock &sk, sk_buff &skb, request_sock &req);
void security_inet_csk_clone(sock &newsk, const request_sock &req);
void security_inet_conn_established(sock &sk, sk_buff &skb);
[[nodiscard]] int security_tun_dev_alloc_security(void *&security);
void security_tun_dev_free_security(void *security);
[[nodiscard]] int security_tun_dev_attach_queue(void *security);
[[nodiscard]] int security_tun_dev_create();
[[nodiscard]] int security_tun_dev_open(void *security);
[[nodiscard]] int security_tun_dev_attach(sock &sk, void *security);
[[nodiscard]] int security_xfrm_decode_session(sk_buff &skb, u32 &secid);
void security_skb_classify_flow(sk_buff &skb, flowi4 &fl);

} // namespace skbwalk
