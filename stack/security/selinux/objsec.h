// SPDX-License-Identifier: GPL-2.0-only
//
// What SELinux keeps with tasks, sockets, inodes and files (security/selinux/include/objsec.h): SIDs, in the
// blobs that the framework allocates.
#pragma once

#include "stack/core/sock.h"
#include "stack/kernel/file.h"
#include "stack/security/selinux/ss/policydb.h"

namespace skbwalk {

struct task_security_struct {
	u32 osid = SECINITSID_KERNEL; // before the last execve
	u32 sid = SECINITSID_KERNEL;
	u32 sockcreate_sid = SECSID_NULL; // what its sockets get, if it said so
};
enum label_initialized : u8 { LABEL_INVALID, LABEL_INITIALIZED };
struct inode_security_struct {
	u32 sid;
	u16 sclass;
	u8 initialized;
	spinlock_t lock;
};
struct file_security_struct {
	u32 sid; // of who opened it
	u32 isid;
	u32 pseqno;
};
enum nlbl_state : u8 { NLBL_UNSET, NLBL_REQUIRE, NLBL_LABELED, NLBL_REQSKB, NLBL_CONNLABELED };
struct netlbl_lsm_secattr;
struct sk_security_struct {
	skbwalk::nlbl_state nlbl_state;
	netlbl_lsm_secattr *nlbl_secattr;
	u32 sid;
	u32 peer_sid;
	u16 sclass;
};
struct tun_security_struct {
	u32 sid;
};

// Where in the framework's blobs SELinux's begin.
struct selinux_blobs {
	u32 sock, inode, file;
};
const selinux_blobs &selinux_blob_offsets();

inline sk_security_struct &selinux_sock(const sock &sk)
{
	return *reinterpret_cast<sk_security_struct *>(static_cast<std::byte *>(sk.sk_security) +
	                                               selinux_blob_offsets().sock);
}
inline inode_security_struct &selinux_inode(const socket &inode)
{
	return *reinterpret_cast<inode_security_struct *>(static_cast<std::byte *>(inode.i_security) +
	                                                  selinux_blob_offsets().inode);
}
inline file_security_struct &selinux_file(const file &f)
{
	return *reinterpret_cast<file_security_struct *>(static_cast<std::byte *>(f.f_security) +
	                                                 selinux_blob_offsets().file);
}
// The kernel's own where no task runs, and of tasks that were given none.
inline const task_security_struct &selinux_cred()
{
	static constexpr task_security_struct kernel;
	const task_struct *task = current.task;

	return task && task->cred_security
	               ? *static_cast<const task_security_struct *>(task->cred_security.get())
	               : kernel;
}
inline u32 current_sid() { return selinux_cred().sid; }

// --- SIDs of what is on the network, remembered (netif.cpp, netnode.cpp, netport.cpp) ---
[[nodiscard]] int sel_netif_sid(net &ns, int ifindex, u32 &sid);
[[nodiscard]] int sel_netnode_sid(be32 addr, u16 family, u32 &sid);
[[nodiscard]] int sel_netport_sid(u8 protocol, u16 pnum, u32 &sid);
void sel_netif_flush();
void sel_netnode_flush();
void sel_netport_flush();

// A task's context: `sid` is one of the current host's policy.
void selinux_set_task_sid(task_struct &t, u32 sid);

} // namespace skbwalk
