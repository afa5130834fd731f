// SPDX-License-Identifier: GPL-2.0-only
//
// User memory as the kernel walks it (include/linux/uio.h): here always one buffer.
#pragma once

#include "stack/wire/checksum.h"
#include "stack/wire/socket.h"

namespace skbwalk {

struct iov_iter {
	u8 *base = nullptr;
	std::size_t count = 0;      // bytes left
	std::size_t iov_offset = 0; // bytes consumed
	bool data_source = false;   // true: copied from (a send)
};
int import_single_range(bool data_source, void *buf, std::size_t len, iov_iter &i);
std::size_t _copy_to_iter(const void *from, std::size_t n, iov_iter &i);
std::size_t _copy_from_iter(void *to, std::size_t n, iov_iter &i);
bool copy_from_iter_full(void *to, std::size_t n, iov_iter &i);
bool csum_and_copy_from_iter_full(void *to, std::size_t n, __wsum &csum, iov_iter &i);
// A sum over pieces that are copied one after another.
struct csum_state {
	__wsum csum = 0;
	std::size_t off = 0;
};
std::size_t csum_and_copy_to_iter(const void *from, std::size_t n, csum_state &csstate, iov_iter &i);
void iov_iter_advance(iov_iter &i, std::size_t n);
void iov_iter_revert(iov_iter &i, std::size_t n);
inline std::size_t iov_iter_count(const iov_iter &i) { return i.count; }

struct msghdr {
	sockaddr_storage *msg_name = nullptr;
	int msg_namelen = 0;
	int msg_flags = 0;
	iov_iter msg_iter;
	void *msg_control =
		nullptr; // room for control messages (or, when sending, such); moves on as it is used
	std::size_t msg_controllen = 0;
};
// A control message (include/linux/socket.h): this head, then data; the next one begins at a multiple of
// eight.
struct cmsghdr {
	std::size_t cmsg_len; // of both
	int cmsg_level;
	int cmsg_type;
};
constexpr std::size_t CMSG_ALIGN(std::size_t len) { return (len + 7) & ~std::size_t{7}; }
constexpr std::size_t CMSG_LEN(std::size_t len) { return sizeof(cmsghdr) + len; }
constexpr std::size_t CMSG_SPACE(std::size_t len) { return sizeof(cmsghdr) + CMSG_ALIGN(len); }
// What does not fit is cut, and MSG_CTRUNC says so.
int put_cmsg(msghdr &msg, int level, int type, std::size_t len, const void *data);
inline std::size_t msg_data_left(const msghdr &m) { return m.msg_iter.count; }

} // namespace skbwalk
