// SPDX-License-Identifier: GPL-2.0-only
//
// The names of classes and permissions.
#include "stack/security/selinux/classmap.h"

namespace skbwalk {

namespace {

// clang-format off
#define FILE_SOCK_PERMS \
	"ioctl", "read", "write", "create", "getattr", "setattr", "lock", "relabelfrom", "relabelto", "append", "map"
#define SOCK_PERMS \
	FILE_SOCK_PERMS, "bind", "connect", "listen", "accept", "getopt", "setopt", "shutdown", "recvfrom", \
	"sendto", "name_bind"
// clang-format on

constexpr std::string_view process[] = {"fork",    "transition", "sigchld", "sigkill",
                                        "sigstop", "signull",    "signal",  "setsockcreate"};
constexpr std::string_view capability[] = {"chown",
                                           "dac_override",
                                           "dac_read_search",
                                           "fowner",
                                           "fsetid",
                                           "kill",
                                           "setgid",
                                           "setuid",
                                           "setpcap",
                                           "linux_immutable",
                                           "net_bind_service",
                                           "net_broadcast",
                                           "net_admin",
                                           "net_raw",
                                           "ipc_lock",
                                           "ipc_owner",
                                           "sys_module",
                                           "sys_rawio",
                                           "sys_chroot",
                                           "sys_ptrace",
                                           "sys_pacct",
                                           "sys_admin",
                                           "sys_boot",
                                           "sys_nice",
                                           "sys_resource",
                                           "sys_time",
                                           "sys_tty_config",
                                           "mknod",
                                           "lease",
                                           "audit_write",
                                           "audit_control",
                                           "setfcap"};
constexpr std::string_view file[] = {FILE_SOCK_PERMS, "unlink", "link", "rename", "execute"};
constexpr std::string_view fd[] = {"use"};
constexpr std::string_view socket[] = {SOCK_PERMS};
constexpr std::string_view tcp_socket[] = {SOCK_PERMS, "node_bind", "name_connect"};
constexpr std::string_view node_bind_socket[] = {SOCK_PERMS, "node_bind"};
constexpr std::string_view node[] = {"recvfrom", "sendto"};
constexpr std::string_view netif[] = {"ingress", "egress"};
constexpr std::string_view association[] = {"sendto", "recvfrom", "setcontext", "polmatch"};
constexpr std::string_view packet[] = {"send", "recv", "relabelto", "forward_in", "forward_out"};
constexpr std::string_view peer[] = {"recv"};
constexpr std::string_view tun_socket[] = {SOCK_PERMS, "attach_queue"};

constexpr security_class_mapping classes[] = {
	{"", {}},
	{"process", process},
	{"capability", capability},
	{"file", file},
	{"fd", fd},
	{"socket", socket},
	{"tcp_socket", tcp_socket},
	{"udp_socket", node_bind_socket},
	{"rawip_socket", node_bind_socket},
	{"node", node},
	{"netif", netif},
	{"packet_socket", socket},
	{"association", association},
	{"packet", packet},
	{"peer", peer},
	{"tun_socket", tun_socket},
	{"icmp_socket", node_bind_socket},
};
static_assert(std::size(classes) == secclass_count);

} // namespace

std::span<const security_class_mapping> secclass_map() { return classes; }

} // namespace skbwalk
