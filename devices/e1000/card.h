// SPDX-License-Identifier: GPL-2.0-only
//
// The hardware of an e1000: an 82540EM as far as a driver and a wire can tell. It has registers, reads and
// writes descriptors and buffers in memory through DMA, sums and cuts what it sends, filters what it
// receives, and moves an interrupt line. It knows nothing of the kernel: no sk_buff, no net_device.
//
//      wire --receive--> filter --> RX ring in memory --> cause RXT0 --.
//                                                                       |-- mask, throttle --> line
//      wire <--send-- cut, sum <-- TX ring in memory <-- write of TDT --+-> cause TXDW
//
// Left out: the delay timers (a cause is there at once and only ITR spaces interrupts), flow control, wake
// on LAN, the FCS (its four bytes are counted, not computed).
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "devices/e1000/card_sum.h"
#include "devices/e1000/e1000_hw.h"
#include "stack/kernel/dma_mapping.h"
#include "stack/kernel/irq_line.h"
#include "stack/wire/headers.h"

namespace skbwalk {

// Registers at an address of the host's (what ioremap gives a driver).
class mmio {
public:
	virtual ~mmio() = default;
	virtual u32 read(u32 reg) = 0;
	virtual void write(u32 reg, u32 value) = 0;
};

// What the card is plugged into.
class e1000_port {
public:
	virtual ~e1000_port() = default;
	// A frame without its FCS; it may be taken, another left in its place. When its last bit has left, in
	// world time.
	virtual u64 send(std::vector<std::byte> &frame) = 0;
	// The card's PHY was switched on or off.
	virtual void phy_power(bool on) = 0;
	[[nodiscard]] virtual u64 now_ns() const = 0;
};

class e1000_card final : public mmio {
public:
	e1000_card(host &h, unsigned pin, const mac_addr &mac, e1000_port &port);
	~e1000_card() override;
	e1000_card(const e1000_card &) = delete;
	e1000_card &operator=(const e1000_card &) = delete;

	// --- the wire's side; in no cpu's context ---
	void receive(std::span<const std::byte> frame);
	void set_link(bool up, u32 mbps);
	// Whatever ITR says, its line does not rise sooner after it rose.
	void interrupt_gap(u64 ns) { interrupt_gap_ns_ = ns; }
	[[nodiscard]] bool phy_on() const { return phy_on_; }

	// --- the host's side ---
	u32 read(u32 reg) override;
	void write(u32 reg, u32 value) override;
	[[nodiscard]] unsigned irq_pin() const { return line_.pin(); }
	device dma;

	struct counters {
		u64 interrupts = 0; // how often the line rose
		u64 throttled = 0;  // how often it had to wait for ITR
		u64 itr_changes = 0;
		u64 itr = 0; // what it is, in units of 256 ns
		u64 rx_filtered = 0, rx_no_buffer = 0, rx_undersize = 0, rx_oversize = 0, rx_disabled = 0;
		u64 tx_segments_cut = 0, tx_bad_descriptors = 0;
	};
	[[nodiscard]] const counters &counted() const { return counters_; }

private:
	// What PBA leaves of it is for sending.
	static constexpr u32 packet_buffer_kib = 64;

	u32 &reg(u32 offset) { return regs_[offset / 4]; }
	void reset();
	void set_cause(u32 bits);
	void update_line();
	void mdic(u32 value);
	void transmit();
	bool take_descriptor();
	void begin_packet(bool cut, u32 options);
	[[nodiscard]] summed_copy copy_of_frame() const;
	void gather(const std::byte *from, std::size_t n);
	void send_packet();
	void send_frame(std::vector<std::byte> &frame);
	void send_cut();
	void fetch_packet();
	[[nodiscard]] u64 left_ns(std::size_t bytes) const;
	void call_at(u64 when_ns, void (*fn)(void *), u64 &id);
	[[nodiscard]] bool accepts(std::span<const std::byte> frame);
	[[nodiscard]] u32 rx_buffer_size();
	[[nodiscard]] u32 rx_free();
	[[nodiscard]] std::byte *peek(dma_addr_t at, std::size_t n);
	void fetch_buffer(dma_addr_t desc_at, std::size_t length);

	host &host_;
	e1000_port &port_;
	irq_line line_;
	mac_addr mac_;
	std::vector<u32> regs_;
	std::array<u16, 64> eeprom_{};
	bool link_up_ = false, phy_on_ = true;
	u64 next_interrupt_ns_ = 0; // the line may not rise before
	u64 interrupt_gap_ns_ = 0;
	u64 throttle_event_ = 0, transmit_event_ = 0;
	// What is on its way out: when it has left, and its bytes in the packet buffer.
	std::deque<std::pair<u64, u32>> leaving_;
	std::size_t leaving_bytes_ = 0;
	// The packet whose descriptors are being read: so many of the frames, all of them full but the last.
	struct outgoing {
		std::vector<std::byte> bytes; // beyond what has been copied, a frame that was there before
		summed_copy copy;
	};
	std::vector<outgoing> frames_;
	std::size_t packet_frames_ = 0, packet_bytes_ = 0, frame_room_ = 0;
	std::vector<std::byte> untagged_; // what has been received, without its tag
	u32 packet_options_ = 0;
	bool packet_cut_ = false, packet_tagged_ = false;
	u16 packet_tag_ = 0;
	e1000_context_desc sum_context_{}, cut_context_{}, packet_context_{};
	counters counters_;
};

} // namespace skbwalk
