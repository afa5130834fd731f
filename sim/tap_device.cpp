// SPDX-License-Identifier: GPL-2.0-only
//
// TUNSETIFF and TUNSETOFFLOAD on /dev/net/tun, the ioctls of netdevice(7) for the address, and frames: readv
// into the model's pages, writev from them. The only file that speaks to the machine's kernel.
#include "sim/tap_device.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fmt/format.h>

namespace skbwalk::sim {

namespace {

ifreq request(const std::string &name)
{
	ifreq r{};
	name.copy(r.ifr_name, IFNAMSIZ - 1);
	return r;
}

struct control_socket {
	int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	~control_socket() { ::close(fd); }
	void ask(unsigned long what, ifreq &r, const char *wish) const
	{
		if (::ioctl(fd, what, &r) < 0)
			throw tap_refused(
				fmt::format("{}: cannot {}: {}", r.ifr_name, wish, std::strerror(errno)));
	}
};

void put_address(ifreq &r, std::uint32_t host_order)
{
	sockaddr_in in{};
	in.sin_family = AF_INET;
	in.sin_addr.s_addr = htonl(host_order);
	std::memcpy(&r.ifr_addr, &in, sizeof(in));
}

} // namespace

interface_address::interface_address(const std::string &text)
{
	const auto slash = text.find('/');
	in_addr parsed{};
	const char *end = text.data() + text.size();
	if (slash == std::string::npos || inet_pton(AF_INET, text.substr(0, slash).c_str(), &parsed) != 1 ||
	    std::from_chars(text.data() + slash + 1, end, bits).ptr != end || bits < 1 || bits > 32)
		throw std::invalid_argument(
			fmt::format("'{}': expected an address with its prefix, as in 10.9.0.1/24", text));
	ip = ntohl(parsed.s_addr);
}

tap_device::tap_device(const std::string &name, bool unfinished)
{
	if (name.empty() || name.size() >= IFNAMSIZ)
		throw tap_refused(
			fmt::format("'{}': an interface's name has 1 to {} characters", name, IFNAMSIZ - 1));
	fd_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd_ < 0)
		throw tap_refused(
			fmt::format("/dev/net/tun: {}{}", std::strerror(errno),
		                    errno == ENOENT ? " (the machine's kernel has no TUN/TAP)" : ""));
	ifreq r = request(name);
	unsigned known = 0;
	has_header_ = unfinished && !::ioctl(fd_, TUNGETFEATURES, &known) && known & IFF_VNET_HDR;
	r.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (has_header_ ? IFF_VNET_HDR : 0));
	if (::ioctl(fd_, TUNSETIFF, &r) < 0) {
		const int err = errno;
		::close(fd_);
		throw tap_refused(fmt::format(
			"{}: the machine's kernel does not give this TAP interface: {}{}", name,
			std::strerror(err),
			err == EPERM   ? " (CAP_NET_ADMIN is needed, or an interface made for this user)"
			: err == EBUSY ? " (another program has it)"
				       : ""));
	}
	name_ = r.ifr_name;
	if (!unfinished)
		::ioctl(fd_, TUNSETOFFLOAD, 0); // the interface may be older than this descriptor
	else if (!has_header_)
		why_finished_ = "it has no IFF_VNET_HDR";
	else if (!take_unfinished())
		why_finished_ = std::strerror(errno);
}

tap_device::~tap_device() { ::close(fd_); }

bool tap_device::take_unfinished()
{
	const int size = header_bytes;

	return !::ioctl(fd_, TUNSETVNETHDRSZ, &size) &&
	       !::ioctl(fd_, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN);
}

// Without a header on the machine's side there is nothing to say in it.
std::size_t tap_device::read(std::span<const memory> to)
{
	std::array<iovec, pieces_max> pieces;
	std::size_t n = 0;

	if (!has_header_) {
		std::memset(to[0].data, 0, to[0].size);
		to = to.subspan(1);
	}
	for (const memory &m : to)
		pieces[n++] = {m.data, m.size};
	const ssize_t got = ::readv(fd_, pieces.data(), static_cast<int>(n));

	gone_ = got < 0 && errno == EBADFD;
	return got <= 0 ? 0 : static_cast<std::size_t>(got) + (has_header_ ? 0 : header_bytes);
}

void tap_device::write(std::span<const const_memory> from)
{
	std::array<iovec, pieces_max> pieces;
	std::size_t n = 0;

	if (!has_header_)
		from = from.subspan(1);
	for (const const_memory &m : from)
		pieces[n++] = {const_cast<void *>(m.data), m.size};
	if (::writev(fd_, pieces.data(), static_cast<int>(n)) < 0)
		++lost_;
}

void tap_device::configure(const std::string &address) const
{
	const interface_address wanted(address);
	const control_socket control;
	ifreq r = request(name_);
	put_address(r, wanted.ip);
	control.ask(SIOCSIFADDR, r, "set its address");
	put_address(r, ~std::uint32_t{0} << (32 - wanted.bits));
	control.ask(SIOCSIFNETMASK, r, "set its prefix");
	control.ask(SIOCGIFFLAGS, r, "read its flags");
	r.ifr_flags |= IFF_UP;
	control.ask(SIOCSIFFLAGS, r, "take it up");
}

} // namespace skbwalk::sim
