// SPDX-License-Identifier: GPL-2.0-only
//
// fork, exec and a pipe.
#include "sim/process.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skbwalk::sim {

namespace {

[[noreturn]] void become(const std::vector<std::string> &words, const process_options &options, int to)
{
	std::vector<char *> argv;
	argv.reserve(words.size() + 1);
	for (const std::string &w : words)
		argv.push_back(const_cast<char *>(w.c_str()));
	argv.push_back(nullptr);
	const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(nothing, STDIN_FILENO);
	dup2(to, STDOUT_FILENO);
	if (options.with_stderr)
		dup2(to, STDERR_FILENO);
	if (options.folder.empty() || !chdir(options.folder.c_str()))
		execvp(argv[0], argv.data());
	std::_Exit(127);
}

} // namespace

process_result run_process(const std::vector<std::string> &words, const process_options &options)
{
	process_result r;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return r;
	const pid_t pid = fork();
	if (!pid)
		become(words, options, ends[1]);
	close(ends[1]);
	char part[1 << 16];
	for (;;) {
		const ssize_t n = read(ends[0], part, sizeof(part));
		if (n > 0)
			r.output.append(part, static_cast<std::size_t>(n));
		else if (n == 0 || errno != EINTR)
			break;
	}
	close(ends[0]);
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return r;
}

} // namespace skbwalk::sim
