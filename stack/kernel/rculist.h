// SPDX-License-Identifier: GPL-2.0-only
//
// Walking a chain that others may change (include/linux/rculist.h): the reader's cpu may be left in the
// middle of the walk while another takes an element out. That stays as it was until a grace period is over,
// so who walks sees the chain as it was when the walk began.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace skbwalk {

// For `for (T &entry : rcu_view(chain))`, inside of rcu_read_lock.
template <class Chain> class rcu_view {
public:
	using value_type = typename Chain::value_type;

	explicit rcu_view(Chain &chain)
	{
		for (value_type &entry : chain) {
			if (size_ == few_.size())
				many_.assign(few_.begin(), few_.end());
			if (size_ < few_.size())
				few_[size_] = &entry;
			else
				many_.push_back(&entry);
			++size_;
		}
	}
	struct iterator {
		value_type *const *at;
		value_type &operator*() const { return **at; }
		iterator &operator++()
		{
			++at;
			return *this;
		}
		bool operator==(const iterator &) const = default;
	};
	[[nodiscard]] iterator begin() const { return {data()}; }
	[[nodiscard]] iterator end() const { return {data() + size_}; }

private:
	[[nodiscard]] value_type *const *data() const { return many_.empty() ? few_.data() : many_.data(); }

	std::array<value_type *, 8> few_;
	std::vector<value_type *> many_;
	std::size_t size_ = 0;
};

} // namespace skbwalk
