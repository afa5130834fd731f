// SPDX-License-Identifier: GPL-2.0-only
//
// Sockets (include/net/sock.h). sock_common is what a full socket, a request and a TIME_WAIT socket share, so
// that all three stand in the same established hash; its first cache line has all that a lookup compares. The
// hierarchy:
//
//   sock_common <- sock <- inet_sock <- inet_connection_sock <- tcp_sock
//                                    <- udp_sock, raw_sock
//   sock_common <- request_sock <- inet_request_sock <- tcp_request_sock
//   sock_common <- inet_timewait_sock <- tcp_timewait_sock
//
// A socket is owned either by a softirq (sk_lock.slock, bottom halves off) or by a task (sk_lock.owned);
// segments that come while a task owns it go to sk_backlog and are processed in release_sock. Sockets are
// counted by skc_refcnt; what their skbs hold of their memory is counted by sk_wmem_alloc (biased by one) and
// sk_rmem_alloc.
#pragma once

#include "stack/core/dst.h"
#include "stack/core/net_namespace.h"
#include "stack/core/nulls.h"
#include "stack/core/skbuff.h"
#include "stack/core/uio.h"
#include "stack/kernel/file.h"
#include "stack/kernel/random.h"
#include "stack/kernel/user_namespace.h"
#include "stack/kernel/wait.h"

namespace skbwalk {

struct proto;
struct proto_ops;
struct socket;
struct request_sock;
struct request_sock_ops;
struct timewait_sock_ops;
struct inet_timewait_sock;
struct inet_bind_bucket;
struct inet_bind2_bucket;
struct sock_reuseport;
struct sk_filter_prog; // the kernel's struct sk_filter: the name is a function's too
struct flowi4;

// Values of skc_state, of TCP and shared by all (include/net/tcp_states.h).
enum tcp_state : u8 {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
	TCP_MAX_STATES
};
constexpr u32 TCPF_ESTABLISHED = 1 << 1, TCPF_SYN_SENT = 1 << 2, TCPF_SYN_RECV = 1 << 3,
	      TCPF_FIN_WAIT1 = 1 << 4, TCPF_FIN_WAIT2 = 1 << 5, TCPF_TIME_WAIT = 1 << 6, TCPF_CLOSE = 1 << 7,
	      TCPF_CLOSE_WAIT = 1 << 8, TCPF_LAST_ACK = 1 << 9, TCPF_LISTEN = 1 << 10, TCPF_CLOSING = 1 << 11,
	      TCPF_NEW_SYN_RECV = 1 << 12;

struct sock_common {
	be32 skc_daddr{};
	be32 skc_rcv_saddr{};
	u32 skc_hash = 0;
	be16 skc_dport{};
	u16 skc_num = 0; // local port in host order
	u16 skc_family = 0;
	volatile u8 skc_state = 0;
	u8 skc_reuse : 4 = 0;
	u8 skc_reuseport : 1 = 0;
	u8 skc_ipv6only : 1 = 0;
	u8 skc_net_refcnt : 1 = 0;
	int skc_bound_dev_if = 0;
	hlist_nulls_node skc_nulls_node; // in the established hash, lhash2, or a protocol's own
	skbwalk::net *skc_net = nullptr;
	refcount_t skc_refcnt;
	u32 trace_id = 0;
	// --- end of the lookup's cache line ---
	proto *skc_prot = nullptr;
	list_hook skc_bind_node;  // in inet_bind_bucket::owners
	list_hook skc_bind2_node; // in inet_bind2_bucket::owners
	in6_addr skc_v6_daddr{};
	in6_addr skc_v6_rcv_saddr{};
	u64 skc_cookie = 0;
	u32 skc_flags = 0; // 1 << SOCK_*
	u16 skc_tx_queue_mapping = 0xffff;
	u16 skc_rx_queue_mapping = 0xffff;
	int skc_incoming_cpu = -1;
	sock *skc_listener = nullptr; // request socks: the listener
};
// Key, link and count in one cache line, which sockets from the slab begin with. Addresses and ports lie as
// the kernel's skc_addrpair and skc_portpair, so that each is compared at once.
static_assert(offsetof(sock_common, skc_prot) <= 64);
static_assert(offsetof(sock_common, skc_daddr) == 0 && offsetof(sock_common, skc_rcv_saddr) == 4);
static_assert(offsetof(sock_common, skc_num) == offsetof(sock_common, skc_dport) + 2 &&
              offsetof(sock_common, skc_dport) % 4 == 0);

enum sock_flags {
	SOCK_DEAD,
	SOCK_DONE,
	SOCK_URGINLINE,
	SOCK_KEEPOPEN,
	SOCK_LINGER,
	SOCK_DESTROY,
	SOCK_BROADCAST,
	SOCK_TIMESTAMP,
	SOCK_ZAPPED,
	SOCK_USE_WRITE_QUEUE,
	SOCK_DBG,
	SOCK_RCVTSTAMP,
	SOCK_RCVTSTAMPNS,
	SOCK_LOCALROUTE,
	SOCK_MEMALLOC,
	SOCK_RCU_FREE,
	SOCK_FASYNC,
	SOCK_RXQ_OVFL,
	SOCK_FILTER_LOCKED
};

struct socket_lock_t {
	spinlock_t slock;
	bool owned = false;
	wait_queue_head wq;
};

struct socket_wq {
	wait_queue_head wait;
};

struct page_frag {
	page *pg = nullptr;
	u32 offset = 0;
	u32 size = 0;
};

constexpr u32 SK_MEM_SEND = 0, SK_MEM_RECV = 1;
constexpr int SK_MEM_QUANTUM = static_cast<int>(PAGE_SIZE);
constexpr u8 SK_PACING_NONE = 0, SK_PACING_NEEDED = 1, SK_PACING_FQ = 2;
constexpr u32 SOCK_SNDBUF_LOCK = 1, SOCK_RCVBUF_LOCK = 2, SOCK_BINDADDR_LOCK = 4, SOCK_BINDPORT_LOCK = 8;
constexpr u32 SOCK_MIN_SNDBUF = 4608,
	      SOCK_MIN_RCVBUF = 2304; // TCP_SKB_MIN_TRUESIZE * 2, TCP_SKB_MIN_TRUESIZE

struct sock : sock_common {
	socket_lock_t sk_lock;
	atomic_t sk_drops{0};
	int sk_rcvlowat = 1;
	sk_buff_head sk_error_queue;
	sk_buff_head sk_receive_queue;
	struct {
		int rmem_alloc = 0;
		int len = 0;
		sk_buff *head = nullptr;
		sk_buff *tail = nullptr;
	} sk_backlog;
	int sk_forward_alloc = 0;
	u32 sk_reserved_mem = 0;
	int sk_rcvbuf = 0;
	sk_filter_prog *sk_filter_ptr = nullptr;
	std::shared_ptr<socket_wq> sk_wq; // shared with the struct socket
	dst_entry *sk_rx_dst = nullptr;
	int sk_rx_dst_ifindex = 0;
	dst_entry *sk_dst_cache = nullptr;
	int sk_omem_alloc = 0;
	int sk_sndbuf = 0;
	int sk_wmem_queued = 0;
	refcount_t sk_wmem_alloc;
	u32 sk_tsq_flags = 0;
	sk_buff *sk_send_head = nullptr;
	skb_rb_root tcp_rtx_queue;   // owned skbs; sent and not acknowledged
	sk_buff_head sk_write_queue; // TCP: not yet sent
	int sk_peek_off = -1;
	int sk_write_pending = 0;
	u32 sk_dst_pending_confirm = 0;
	u8 sk_pacing_status = SK_PACING_NONE;
	long sk_sndtimeo = MAX_SCHEDULE_TIMEOUT;
	timer_list sk_timer;
	u32 sk_priority = 0;
	u32 sk_mark = 0;
	u64 sk_pacing_rate = ~0ull; // bytes a second
	u64 sk_max_pacing_rate = ~0ull;
	page_frag sk_frag;
	netdev_features_t sk_route_caps = 0;
	u32 sk_gso_type = 0;
	u32 sk_gso_max_size = 0;
	u16 sk_gso_max_segs = 0;
	gfp_t sk_allocation = GFP_KERNEL;
	u32 sk_txhash = 0;
	u8 sk_gso_disabled : 1 = 0;
	u8 sk_kern_sock : 1 = 0;
	u8 sk_no_check_tx : 1 = 0;
	u8 sk_no_check_rx : 1 = 0;
	u8 sk_userlocks : 4 = 0;
	u8 sk_pacing_shift = 10;
	u8 sk_protocol = 0;
	u8 sk_shutdown = 0;
	u8 sk_txrehash = 1;
	u16 sk_type = 0;
	u64 sk_lingertime = 0;
	int sk_err = 0;
	int sk_err_soft = 0;
	u32 sk_ack_backlog = 0;
	u32 sk_max_ack_backlog = 0;
	u32 sk_uid = 0;
	int sk_bind_phc = -1;
	u32 sk_ll_usec = 0; // SO_BUSY_POLL
	u16 sk_busy_poll_budget = 0;
	bool sk_prefer_busy_poll = false;
	long sk_rcvtimeo = MAX_SCHEDULE_TIMEOUT;
	u64 sk_stamp = 0;
	int sk_disconnects = 0;
	socket *sk_socket = nullptr;
	void *sk_user_data = nullptr;
	void *sk_security = nullptr;
	void *sk_bpf_storage = nullptr;
	sock_reuseport *sk_reuseport_cb = nullptr;
	rwlock_t sk_callback_lock;
	u32 sk_rxhash = 0;
	u32 sk_napi_id = 0;
	u32 sk_zckey = 0;
	proto *sk_prot_creator = nullptr;
	bool sk_rcu_freed = false;
	rcu_head sk_rcu;
	void (*sk_state_change)(sock &sk) = nullptr;
	void (*sk_data_ready)(sock &sk) = nullptr;
	void (*sk_write_space)(sock &sk) = nullptr;
	void (*sk_error_report)(sock &sk) = nullptr;
	int (*sk_backlog_rcv)(sock &sk, skb_ptr skb) = nullptr;
	void (*sk_destruct)(sock &sk) = nullptr;
};

// Generation of names: sk->sk_state is skc_state and so on; these read as the kernel's macros do.
#define sk_state skc_state
#define sk_family skc_family
#define sk_daddr skc_daddr
#define sk_rcv_saddr skc_rcv_saddr
#define sk_dport skc_dport
#define sk_num skc_num
#define sk_bound_dev_if skc_bound_dev_if
#define sk_hash skc_hash
#define sk_prot skc_prot
#define sk_net_ptr skc_net
#define sk_refcnt skc_refcnt
#define sk_reuse skc_reuse
#define sk_reuseport skc_reuseport
#define sk_flags skc_flags
#define sk_incoming_cpu skc_incoming_cpu
#define sk_v6_daddr skc_v6_daddr
#define sk_v6_rcv_saddr skc_v6_rcv_saddr

constexpr u8 SK_NO_REUSE = 0, SK_CAN_REUSE = 1, SK_FORCE_REUSE = 2;
inline net &sock_net(const sock_common &sk) { return *sk.skc_net; }
inline void sock_set_flag(sock &sk, sock_flags f) { sk.skc_flags |= 1u << f; }
inline void sock_reset_flag(sock &sk, sock_flags f) { sk.skc_flags &= ~(1u << f); }
inline bool sock_flag(const sock &sk, sock_flags f) { return sk.skc_flags & (1u << f); }
inline bool sk_fullsock(const sock_common &sk)
{
	return (1u << sk.skc_state) & ~(TCPF_TIME_WAIT | TCPF_NEW_SYN_RECV);
}
inline bool sk_unhashed(const sock_common &sk) { return hlist_nulls_unhashed(sk.skc_nulls_node); }
inline bool sk_hashed(const sock_common &sk) { return !sk_unhashed(sk); }
inline bool sock_owned_by_user(const sock &sk) { return sk.sk_lock.owned; }
inline bool sock_owned_by_user_nocheck(const sock &sk) { return sk.sk_lock.owned; }
inline bool sk_acceptq_is_full(const sock &sk) { return sk.sk_ack_backlog > sk.sk_max_ack_backlog; }
inline void sk_acceptq_removed(sock &sk) { --sk.sk_ack_backlog; }
void sk_acceptq_added(sock &sk); // header inline, in source views
inline int sk_stream_min_wspace(const sock &sk) { return sk.sk_wmem_queued >> 1; }
inline int sk_stream_wspace(const sock &sk) { return sk.sk_sndbuf - sk.sk_wmem_queued; }
inline int sk_wmem_alloc_get(const sock &sk) { return refcount_read(sk.sk_wmem_alloc) - 1; }
inline int sk_rmem_alloc_get(const sock &sk) { return sk.sk_backlog.rmem_alloc; }
inline int tcp_rmem_pressure_limit(const sock &sk) { return sk.sk_rcvbuf; }
inline bool sock_writeable(const sock &sk) { return refcount_read(sk.sk_wmem_alloc) < (sk.sk_sndbuf >> 1); }
inline int sk_unused_reserved_mem(const sock &) { return 0; }
inline long sock_rcvtimeo(const sock &sk, bool noblock) { return noblock ? 0 : sk.sk_rcvtimeo; }
inline long sock_sndtimeo(const sock &sk, bool noblock) { return noblock ? 0 : sk.sk_sndtimeo; }
inline int sock_rcvlowat(const sock &sk, int waitall, int len)
{
	const int v = waitall || sk.sk_rcvlowat > len ? len : sk.sk_rcvlowat;
	return v ? v : 1;
}
inline int sock_intr_errno(long timeo) { return timeo == MAX_SCHEDULE_TIMEOUT ? -ERESTARTSYS : -EINTR; }
inline wait_queue_head *sk_sleep(sock &sk) { return sk.sk_wq ? &sk.sk_wq->wait : nullptr; }
void sk_set_socket(sock &sk, socket *sock);
void sock_orphan(sock &sk); // header inlines
void sock_graft(sock &sk, socket &parent);
void sk_tx_queue_set(sock &sk, int q);
void sk_rx_queue_set(sock &sk, const sk_buff &skb);
void sock_rps_save_rxhash(sock &sk, const sk_buff &skb); // header inline
void sk_mark_napi_id(sock &sk, const sk_buff &skb);

// What a protocol gives (include/net/sock.h, struct proto).
struct proto {
	const char *name;
	void (*close)(sock &sk, long timeout);
	int (*pre_connect)(sock &sk, sockaddr_storage &uaddr, int addr_len);
	int (*connect)(sock &sk, sockaddr_storage &uaddr, int addr_len);
	int (*disconnect)(sock &sk, int flags);
	sock *(*accept)(sock &sk, int flags, int &err, bool kern);
	int (*ioctl)(sock &sk, int cmd, int &value);
	int (*init)(sock &sk);
	void (*destroy)(sock &sk);
	void (*shutdown)(sock &sk, int how);
	int (*setsockopt)(sock &sk, int level, int optname, const void *optval, u32 optlen);
	int (*getsockopt)(sock &sk, int level, int optname, void *optval, int &optlen);
	int (*sendmsg)(sock &sk, msghdr &msg, std::size_t len);
	int (*recvmsg)(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len);
	int (*bind)(sock &sk, sockaddr_storage &addr, int addr_len);
	int (*backlog_rcv)(sock &sk, skb_ptr skb);
	void (*release_cb)(sock &sk);
	int (*hash)(sock &sk);
	void (*unhash)(sock &sk);
	void (*rehash)(sock &sk);
	int (*get_port)(sock &sk, u16 snum);
	void (*put_port)(sock &sk);
	bool (*stream_memory_free)(const sock &sk, int wake);
	void (*enter_memory_pressure)(sock &sk);
	void (*leave_memory_pressure)(sock &sk);
	// Room for one socket and its life: construct in zeroed slab memory, copy as sk_clone_lock does,
	// destroy.
	u32 obj_size;
	sock *(*construct)(void *memory);
	void (*copy)(sock &to, const sock &from);
	void (*destruct)(sock &sk);
	bool slab_typesafe_by_rcu;
	u32 max_header;
	bool no_autobind;
	bool memory_accounted; // has sysctl_mem (TCP, UDP)
	const request_sock_ops *rsk_prot;
	const timewait_sock_ops *twsk_prot;
	std::array<int, 3> netns_ipv4::*sysctl_wmem;
	std::array<int, 3> netns_ipv4::*sysctl_rmem;
	u32 index; // set by proto_register: where proto_of looks first
	void (*keepalive)(sock &sk, int valbool);
};
// What the kernel keeps in global variables of a protocol: one for each host.
struct proto_state {
	const proto *prot = nullptr;
	u32 slot = 0;
	kmem_cache *slab = nullptr;
	kmem_cache *rsk_slab = nullptr;
	kmem_cache *twsk_slab = nullptr;
	long memory_allocated = 0;          // pages that the cpus have booked
	std::vector<long> per_cpu_fw_alloc; // pages that each has not
	std::array<long, 3> sysctl_mem{0, 0, 0};
	int memory_pressure = 0; // jiffies | 1 since when
	long sockets_allocated = 0;
	u32 inuse = 0; // sockets hashed
	u32 orphan_count = 0;
};
int proto_register(proto &prot, bool alloc_slab); // on the current host
u32 new_sock_id();                                // the next trace_id
proto_state &proto_of(const proto &prot);
inline long sk_memory_allocated(const sock &sk) { return proto_of(*sk.sk_prot).memory_allocated; }
inline long sk_prot_mem_limits(const sock &sk, u32 index) { return proto_of(*sk.sk_prot).sysctl_mem[index]; }
void sock_prot_inuse_add(net &net, const proto &prot, int val); // header inline

// struct socket: what the file holds (include/linux/net.h).
struct socket {
	socket_state state = SS_UNCONNECTED;
	u16 type = 0;
	u32 flags = 0;
	skbwalk::file *file = nullptr;
	sock *sk = nullptr;
	const proto_ops *ops = nullptr;
	std::shared_ptr<socket_wq> wq;
	u32 i_uid = 0;
	u32 i_ino = 0; // what ss prints
	rcu_head i_rcu;
	void *i_security = nullptr; // what security modules keep with the inode
};

struct proto_ops {
	u16 family;
	int (*release)(socket &sock);
	int (*bind)(socket &sock, sockaddr_storage &myaddr, int sockaddr_len);
	int (*connect)(socket &sock, sockaddr_storage &vaddr, int sockaddr_len, int flags);
	int (*accept)(socket &sock, socket &newsock, int flags, bool kern);
	int (*getname)(socket &sock, sockaddr_storage &addr, int peer); // length, or -errno
	u32 (*poll)(file &file, socket &sock, poll_table *wait);
	int (*ioctl)(socket &sock, u32 cmd, int &value);
	int (*listen)(socket &sock, int len);
	int (*shutdown)(socket &sock, int flags);
	int (*setsockopt)(socket &sock, int level, int optname, const void *optval, u32 optlen);
	int (*getsockopt)(socket &sock, int level, int optname, void *optval, int &optlen);
	int (*sendmsg)(socket &sock, msghdr &m, std::size_t total_len);
	int (*recvmsg)(socket &sock, msghdr &m, std::size_t total_len, int flags);
	int (*set_rcvlowat)(sock &sk, int val);
};

struct net_proto_family {
	u16 family;
	int (*create)(net &net, socket &sock, int protocol, bool kern);
};
int sock_register(const net_proto_family &ops);
constexpr u32 SOCK_NOSPACE = 2, SOCK_ASYNC_NOSPACE = 0; // bits of socket::flags

// --- net/core/sock.c ---
sock *sk_alloc(net &net, u16 family, gfp_t priority, proto &prot, bool kern);
void sk_free(sock &sk);
void __sk_free(sock &sk);
sock *sk_clone_lock(const sock &sk, gfp_t priority);
void sk_free_unlock_clone(sock &sk);
void sock_init_data(socket *parent, sock &sk);
void sock_gen_put(sock_common &sk); // full, request or TIME_WAIT
inline void sock_hold(sock &sk) { refcount_inc(sk.skc_refcnt); }
void sock_put(sock &sk); // header inline: sk_free at zero
inline void __sock_put(sock &sk)
{
	[[maybe_unused]] const bool z = refcount_dec_and_test(sk.skc_refcnt);
	assert(!z);
}
void lock_sock_nested(sock &sk, int subclass);
inline void lock_sock(sock &sk) { lock_sock_nested(sk, 0); }
void release_sock(sock &sk);
void sockopt_lock_sock(sock &sk);
bool sockopt_ns_capable(const user_namespace &ns, int cap);
bool sockopt_capable(int cap);
void sockopt_release_sock(sock &sk);
void __release_sock(sock &sk);
bool sk_flush_backlog(sock &sk); // header inline
void __sk_flush_backlog(sock &sk);
void __lock_sock(sock &sk);
[[nodiscard]] bool __lock_sock_fast(sock &sk); // true: owned, the slow way
bool lock_sock_fast(sock &sk);                 // header inlines
void unlock_sock_fast(sock &sk, bool slow);
inline void bh_lock_sock(sock &sk) { spin_lock(sk.sk_lock.slock); }
inline void bh_unlock_sock(sock &sk) { spin_unlock(sk.sk_lock.slock); }
[[nodiscard]] int sk_add_backlog(sock &sk, skb_ptr &skb, u32 limit); // header inline; takes the skb when 0
void __sk_add_backlog(sock &sk, skb_ptr skb);
int sk_backlog_rcv(sock &sk, skb_ptr skb);
bool sk_rcvqueues_full(const sock &sk, u32 limit);
int sk_wait_data(sock &sk, long &timeo, const sk_buff *last); // predicate: a new tail
void sock_def_wakeup(sock &sk);
void sock_def_readable(sock &sk);
void sock_def_write_space(sock &sk);
void sock_def_error_report(sock &sk);
void sk_error_report(sock &sk);
void sock_def_destruct(sock &sk);
void sk_send_sigurg(sock &sk);
void sk_wake_async(sock &sk, int how, int band); // header inline
bool skwq_has_sleeper(const sock &sk);
void sock_wfree(sk_buff &skb);
void __sock_wfree(sk_buff &skb);
void sock_rfree(sk_buff &skb);
void sock_efree(sk_buff &skb);
void sock_edemux(sk_buff &skb);
void sk_reset_timer(sock &sk, timer_list &timer, u32 expires);
void sk_stop_timer(sock &sk, timer_list &timer);
void sk_stop_timer_sync(sock &sk, timer_list &timer);
int sk_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen);
int sock_setsockopt(socket &sock, int level, int optname, const void *optval, u32 optlen);
int sk_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen);
int sock_getsockopt(socket &sock, int level, int optname, void *optval, int &optlen);
skb_ptr sock_alloc_send_pskb(sock &sk, u64 header_len, u64 data_len, int noblock, int &errcode,
                             int max_page_order);
skb_ptr sock_alloc_send_skb(sock &sk, u64 size, int noblock, int &errcode);
skb_ptr sock_omalloc(sock &sk, u64 size, gfp_t priority);
skb_ptr sock_wmalloc(sock &sk, u64 size, int force, gfp_t priority);
bool skb_page_frag_refill(u32 sz, page_frag &pfrag, gfp_t gfp);
bool sk_page_frag_refill(sock &sk, page_frag &pfrag);
page_frag &sk_page_frag(sock &sk); // the task's, or the socket's own in softirq
void sk_setup_caps(sock &sk, dst_entry *dst);
dst_entry *__sk_dst_check(sock &sk, u32 cookie);
dst_entry *sk_dst_check(sock &sk, u32 cookie);
inline u32 sock_net_uid(const net &, const sock *sk) { return sk ? sk->sk_uid : make_kuid(init_user_ns, 0); }
inline dst_entry *__sk_dst_get(const sock &sk) { return sk.sk_dst_cache; }
dst_entry *sk_dst_get(sock &sk); // counted
void __sk_dst_set(sock &sk, dst_entry *dst);
void sk_dst_set(sock &sk, dst_entry *dst);
void sk_dst_reset(sock &sk);
void __sk_dst_reset(sock &sk);
void sk_dst_confirm(sock &sk);
void sock_confirm_neigh(sk_buff &skb, struct neighbour &n);                     // header inline
int sock_queue_rcv_skb_reason(sock &sk, skb_ptr &skb, skb_drop_reason *reason); // takes the skb when 0
int __sock_queue_rcv_skb(sock &sk, skb_ptr &skb);
int __sk_receive_skb(sock &sk, skb_ptr skb, int nested, u32 trim_cap, bool refcounted);
int sock_queue_err_skb(sock &sk, skb_ptr &skb);
[[nodiscard]] skb_ptr sock_dequeue_err_skb(sock &sk);
void sock_rmem_free(sk_buff &skb);
u32 sock_i_uid(sock &sk);
int sock_error(sock &sk); // and clears it
int sock_no_bind(socket &, sockaddr_storage &, int);
int sock_no_connect(socket &, sockaddr_storage &, int, int);
int sock_no_accept(socket &, socket &, int, bool);
int sock_no_listen(socket &, int);
int sock_no_shutdown(socket &, int);
int sock_common_setsockopt(socket &sock, int level, int optname, const void *optval, u32 optlen);
int sock_common_getsockopt(socket &sock, int level, int optname, void *optval, int &optlen);
int sock_common_recvmsg(socket &sock, msghdr &msg, std::size_t size, int flags);
void sock_recv_cmsgs(msghdr &msg, sock &sk, sk_buff &skb);
void sk_common_release(sock &sk);
void sk_get_meminfo(const sock &sk, u32 *mem); // nine numbers, as ss -m prints them
void sk_destruct(sock &sk);
void sock_init_data_uid(socket *parent, sock &sk, u32 uid);
bool sk_mc_loop(const sock *sk);

// --- memory accounting ---
int __sk_mem_schedule(sock &sk, int size, int kind);
int __sk_mem_raise_allocated(sock &sk, int size, int amt, int kind);
void __sk_mem_reclaim(sock &sk, int amount);
void __sk_mem_reduce_allocated(sock &sk, int amount);
void sk_forced_mem_schedule(sock &sk, int size);
bool sk_wmem_schedule(sock &sk, int size); // header inlines
bool sk_rmem_schedule(sock &sk, const sk_buff &skb, int size);
void sk_mem_charge(sock &sk, int size);
void sk_mem_uncharge(sock &sk, int size);
void sk_mem_reclaim(sock &sk);
void sk_mem_reclaim_final(sock &sk);
void sk_wmem_queued_add(sock &sk, int val);
bool sk_under_memory_pressure(const sock &sk);
bool sk_has_memory_pressure(const sock &sk);
void sk_leave_memory_pressure(sock &sk);
void sk_enter_memory_pressure(sock &sk);
inline bool sk_has_account(const sock &sk) { return sk.skc_prot->memory_accounted; }
inline int sk_mem_pages(int amt) { return (amt + SK_MEM_QUANTUM - 1) / SK_MEM_QUANTUM; }

// --- net/core/stream.c, datagram.c ---
void sk_stream_write_space(sock &sk);
int sk_stream_wait_connect(sock &sk, long &timeo);
void sk_stream_wait_close(sock &sk, long timeo);
int sk_stream_wait_memory(sock &sk, long &timeo);
int sk_stream_error(sock &sk, int flags, int err);
void sk_stream_kill_queues(sock &sk);
bool sk_stream_memory_free(const sock &sk);
bool __sk_stream_memory_free(const sock &sk, int wake);
skb_ptr skb_recv_datagram(sock &sk, u32 flags, int &err);
sk_buff *__skb_try_recv_from_queue(sock &sk, sk_buff_head &queue, u32 flags, int &off, int &err,
                                   sk_buff *&last);
skb_ptr __skb_recv_datagram(sock &sk, sk_buff_head &queue, u32 flags, int &off, int &err);
sk_buff *__skb_try_recv_datagram(sock &sk, sk_buff_head &queue, u32 flags, int &off, int &err,
                                 sk_buff *&last); // counted when peeked
int __skb_wait_for_more_packets(sock &sk, sk_buff_head &queue, int &err, long &timeo, const sk_buff *last);
void skb_free_datagram(sock &sk, skb_ptr skb);
void __skb_free_datagram_locked(sock &sk, skb_ptr skb, int len);
int __sk_queue_drop_skb(sock &sk, sk_buff_head &queue, sk_buff &skb, u32 flags,
                        void (*destructor)(sock &sk, sk_buff &skb));
int skb_kill_datagram(sock &sk, skb_ptr skb, u32 flags);
u32 datagram_poll(file &file, socket &sock, poll_table *wait);
int skb_copy_datagram_from_iter(sk_buff &skb, int offset, iov_iter &from, int len);
int skb_do_copy_data_nocache(sock &sk, sk_buff &skb, iov_iter &from, u8 *to, int copy, int offset);
int skb_add_data_nocache(sock &sk, sk_buff &skb, iov_iter &from, int copy);
int skb_copy_to_page_nocache(sock &sk, iov_iter &from, sk_buff &skb, page *pg, int off, int copy);

// Memory that is counted as the socket's options.
void *sock_kmalloc(sock &sk, int size, gfp_t priority);
void sock_kfree_s(sock &sk, void *mem, int size);

// --- net/core/filter.c ---
int sk_filter_trim_cap(sock &sk, sk_buff &skb, u32 cap);
int sk_filter(sock &sk, sk_buff &skb); // header inline

// --- net/core/secure_seq.c ---
u32 secure_tcp_seq(be32 saddr, be32 daddr, be16 sport, be16 dport);
u32 secure_tcp_ts_off(const net &net, be32 saddr, be32 daddr);
struct tcp_seq_and_ts_off {
	u32 seq;
	u32 ts_off;
};
tcp_seq_and_ts_off secure_tcp_seq_and_ts_off(const net &net, be32 saddr, be32 daddr, be16 sport, be16 dport);
u64 secure_ipv4_port_ephemeral(be32 saddr, be32 daddr, be16 dport);

// --- net/core/bpf_sk_storage.c ---
int bpf_sk_storage_clone(const sock &sk, sock &newsk);
void bpf_sk_storage_free(sock &sk);

// --- more header inlines ---
inline u32 net_tx_rndhash()
{
	const u32 v = get_random_u32();

	return v ? v : 1;
}
inline void sk_set_txhash(sock &sk) { sk.sk_txhash = net_tx_rndhash(); }
inline bool sk_rethink_txhash(sock &sk)
{
	TRACE_INLINE(sk);
	if (!sk.sk_txhash || sk.sk_txrehash != 1) // SOCK_TXREHASH_ENABLED
		return false;
	sk_set_txhash(sk);
	return true;
}
inline void __dst_negative_advice(sock &sk)
{
	TRACE_INLINE(sk);
	dst_entry *dst = __sk_dst_get(sk);

	if (dst && dst->ops->negative_advice)
		dst->ops->negative_advice(sk, *dst);
}
inline void skb_set_hash_from_sk(sk_buff &skb, const sock &sk)
{
	if (sk.sk_txhash) {
		skb.l4_hash = 1;
		skb.hash = sk.sk_txhash;
	}
}
inline void sock_release_ownership(sock &sk) { sk.sk_lock.owned = false; }
// For skb->sk and for programs only: below sock_common there is nothing of a request.
template <class R> sock &req_to_sk(R &req) { return static_cast<sock &>(static_cast<sock_common &>(req)); }

// --- net/socket.c: the doors, and what protocols use of it ---
void sock_init();              // of the current host
u32 live_socks(const host &h); // full, request and TIME_WAIT

} // namespace skbwalk

#include "stack/core/sock_inline.h"
