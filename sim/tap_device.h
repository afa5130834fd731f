// SPDX-License-Identifier: GPL-2.0-only
//
// A real TAP interface of the machine: made or opened, with an address on the machine's side if wanted.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "sim/tap_model.h"

namespace skbwalk::sim {

// What the machine lacks: no permission, no /dev/net/tun. The text says which.
struct tap_refused : std::runtime_error {
	using std::runtime_error::runtime_error;
};

// "10.9.0.1/24", in the host's byte order. Throws std::invalid_argument that says what was expected.
struct interface_address {
	explicit interface_address(const std::string &text);
	std::uint32_t ip = 0;
	unsigned bits = 0;
};

class tap_device final : public tap_port {
public:
	// Makes the interface, or opens one that exists and has no other user. With `unfinished`, frames may
	// be large and without their checksums both ways, if the machine's kernel has that. Throws
	// tap_refused.
	tap_device(const std::string &name, bool unfinished);
	~tap_device() override;
	tap_device(const tap_device &) = delete;
	tap_device &operator=(const tap_device &) = delete;

	[[nodiscard]] int fd() const { return fd_; }
	[[nodiscard]] const std::string &name() const { return name_; }
	// Why frames are finished although that was not asked for; empty: they are not, or it was.
	[[nodiscard]] const std::string &why_finished() const { return why_finished_; }
	[[nodiscard]] std::uint64_t lost() const { return lost_; }
	// The last read found that somebody had deleted it.
	[[nodiscard]] bool gone() const { return gone_; }
	// Gives the machine's end an address ("10.9.0.1/24") and takes it up. Throws tap_refused.
	void configure(const std::string &address) const;

	// --- tap_port ---
	std::size_t read(std::span<const memory> to) override;
	void write(std::span<const const_memory> from) override;

private:
	bool take_unfinished();

	int fd_ = -1;
	bool gone_ = false;
	bool has_header_ = false; // a virtio_net_hdr in front of each frame
	std::string name_, why_finished_;
	std::uint64_t lost_ = 0; // frames that the machine's kernel did not take
};

} // namespace skbwalk::sim
