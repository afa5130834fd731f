// SPDX-License-Identifier: GPL-2.0-only
//
// Descriptors: lowest first, borrowed or counted, released on the way to user mode or at the task's end.
#include "stack/kernel/file.h"

#include <gtest/gtest.h>

#include "stack/kernel/slab.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct file_test : testing::Test {
	static inline int released;
	static int release(file &)
	{
		EXPECT_FALSE(in_interrupt());
		++released;
		return 0;
	}
	static inline const file_operations ops{.name = "socket:", .release = release};
	test::bench_world w;

	file_test() { released = 0; }
	static int open()
	{
		const int fd = get_unused_fd_flags(0);
		file *f = alloc_file_pseudo(ops, nullptr, O_NONBLOCK_FLAG);

		fd_install(fd, *f);
		return fd;
	}
	void in_a_task(std::function<void()> body)
	{
		task_struct t(w.c0(), "task", std::move(body));

		task_start(t);
		w.run(w.now_ns);
		rcu_process_callbacks(w.h);
		EXPECT_EQ(slab_report(w.h), "");
	}
};

TEST_F(file_test, close_releases_on_the_way_to_user_mode)
{
	in_a_task([] {
		EXPECT_EQ(open(), 0);
		EXPECT_EQ(open(), 1);
		EXPECT_EQ(close_fd(0), 0);
		EXPECT_EQ(released, 0);
		EXPECT_EQ(close_fd(0), -EBADF);
		exit_to_user_mode_prepare();
		EXPECT_EQ(released, 1);
		EXPECT_EQ(open(), 0) << "the lowest free descriptor";
		EXPECT_EQ(close_fd(-1), -EBADF);
		EXPECT_EQ(close_fd(1000), -EBADF);
	});
	EXPECT_EQ(released, 3) << "a task that ends closes what it has open";
}

TEST_F(file_test, a_lone_task_borrows_and_one_that_shares_its_table_counts)
{
	in_a_task([] {
		const int fd = open();
		fd_ref f = __fdget(fd);

		EXPECT_FALSE(f.need_put);
		EXPECT_EQ(f.f->f_count, 1);
		auto sharer = current.task->files;

		f = __fdget(fd);
		EXPECT_TRUE(f.need_put);
		EXPECT_EQ(close_fd(fd), 0);
		exit_to_user_mode_prepare();
		EXPECT_EQ(released, 0);
		fdput(f);
		exit_to_user_mode_prepare();
		EXPECT_EQ(released, 1);
		EXPECT_EQ(__fdget(fd).f, nullptr);
	});
}

TEST_F(file_test, descriptors_end_at_the_limit)
{
	in_a_task([] {
		EXPECT_EQ(get_unused_fd_flags(0), 0);
		current.task->files->nofile = 100;
		for (int i = 1; i < 100; ++i)
			EXPECT_EQ(get_unused_fd_flags(0), i);
		EXPECT_EQ(get_unused_fd_flags(0), -EMFILE);
		put_unused_fd(50);
		EXPECT_EQ(get_unused_fd_flags(0), 50);
	});
}

} // namespace
