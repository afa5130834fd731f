// SPDX-License-Identifier: GPL-2.0-only
//
// Packet sockets with large buffers, read at the end only.
#include "tools/player/packets.h"

#include <arpa/inet.h>
#include <cstring>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

namespace player {

namespace {

constexpr int buffer_bytes = 32 << 20;
constexpr std::size_t frame_bytes_max = 1 << 17;

std::string device_name(int fd, int index)
{
	ifreq r{};
	r.ifr_ifindex = index;
	return ioctl(fd, SIOCGIFNAME, &r) ? "if" + std::to_string(index) : std::string{r.ifr_name};
}

} // namespace

void packet_log::open_all(namespaces &spaces)
{
	for (const std::string &name : spaces.names()) {
		if (spaces.enter(name))
			die_errno("namespace " + name);
		const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
		const int yes = 1;
		if (fd < 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) ||
		    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)))
			die_errno("packet socket");
		sockets_.push_back({name, fd});
	}
	if (spaces.enter("@"))
		die_errno("namespace");
}

void packet_log::drop()
{
	char byte;
	for (const one &s : sockets_)
		while (recv(s.fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
			;
}

std::string packet_log::text() const
{
	static char frame[frame_bytes_max];
	timespec wall{};
	clock_gettime(CLOCK_REALTIME, &wall);
	const std::int64_t end_ns = now_ns();
	const std::int64_t since_boot = wall.tv_sec * 1'000'000'000 + wall.tv_nsec - end_ns;
	std::string out = "end\t" + std::to_string(end_ns) + "\n";
	for (const one &s : sockets_) {
		for (;;) {
			sockaddr_ll from{};
			alignas(cmsghdr) char control[256];
			iovec part{frame, sizeof(frame)};
			msghdr m{&from, sizeof(from), &part, 1, control, sizeof(control), 0};
			const ssize_t n = recvmsg(s.fd, &m, MSG_DONTWAIT);
			if (n < 0)
				break;
			const bool sent = from.sll_pkttype == PACKET_OUTGOING;
			if (sent == (from.sll_hatype == 772 /* ARPHRD_LOOPBACK */))
				continue;
			timespec at{};
			for (cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
				if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS)
					std::memcpy(&at, CMSG_DATA(c), sizeof(at));
			out += "packet\t" + escaped(s.netns) + "\t" + device_name(s.fd, from.sll_ifindex) +
			       "\t" + std::to_string(at.tv_sec * 1'000'000'000 + at.tv_nsec - since_boot) +
			       "\t" + hex(frame, static_cast<std::size_t>(n)) + "\n";
		}
		tpacket_stats lost{};
		socklen_t length = sizeof(lost);
		if (!getsockopt(s.fd, SOL_PACKET, PACKET_STATISTICS, &lost, &length) && lost.tp_drops)
			out += "lost\t" + escaped(s.netns) + "\t" + std::to_string(lost.tp_drops) + "\n";
	}
	return out;
}

} // namespace player
