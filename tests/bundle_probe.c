/*
 * bundle_probe: a program for the tests of bundles: tells what it was given,
 * or tries one thing, and ends as it was told. Built static and dynamic.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int
denied(const char *what)
{
	printf("denied %s: %s\n", what, strerror(errno));
	return 1;
}

static int
copy(int from, int to)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			return 2;
	return n == -1 ? 2 : 0;
}

static int
do_args(char **a)
{
	for (; *a != NULL; a++)
		printf("<%s>", *a);
	printf("\n");
	return 0;
}

static int
do_cat(char **a)
{
	(void)a;
	return copy(STDIN_FILENO, STDOUT_FILENO);
}

static int
do_err(char **a)
{
	fprintf(stderr, "%s\n", a[0]);
	return 0;
}

static int
do_exit(char **a)
{
	return atoi(a[0]);
}

static int
do_kill(char **a)
{
	signal(atoi(a[0]), SIG_DFL);
	raise(atoi(a[0]));
	return 99;
}

static int
do_cwd(char **a)
{
	char buf[PATH_MAX];

	(void)a;
	if (getcwd(buf, sizeof(buf)) == NULL)
		return denied("getcwd");
	printf("%s\n", buf);
	return 0;
}

static int
do_env(char **a)
{
	(void)a;
	for (char **e = environ; *e != NULL; e++)
		printf("%s\n", *e);
	return 0;
}

static int
do_fds(char **a)
{
	(void)a;
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			printf("%d\n", fd);
	return 0;
}

static int
do_list(char **a)
{
	DIR *d = opendir(a[0]);
	struct dirent *e;

	if (d == NULL)
		return denied(a[0]);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			printf("%s\n", e->d_name);
	closedir(d);
	return 0;
}

static int
do_read(char **a)
{
	int fd = open(a[0], O_RDONLY);

	return fd == -1 ? denied(a[0]) : copy(fd, STDOUT_FILENO);
}

static int
do_write(char **a)
{
	int fd = open(a[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd == -1 || write(fd, a[1], strlen(a[1])) == -1)
		return denied(a[0]);
	return 0;
}

static int
do_connect(char **a)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char c;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, a[0], &sin.sin_addr);
	sin.sin_port = htons((unsigned short)atoi(a[1]));
	if (s == -1 || connect(s, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    write(s, "GET / HTTP/1.0\r\n\r\n", 18) != 18 || read(s, &c, 1) != 1)
		return denied("connect");
	printf("connected\n");
	return 0;
}

static int
do_exec(char **a)
{
	fflush(stdout);
	execv(a[0], a);
	return denied(a[0]);
}

static int
do_fork(char **a)
{
	pid_t pid = fork();

	(void)a;
	if (pid == -1)
		return denied("fork");
	if (pid == 0)
		_exit(0);
	printf("forked\n");
	return 0;
}

static int
do_spin(char **a)
{
	(void)a;
	printf("ready\n");
	fflush(stdout);
	while (pause() == -1)
		continue;
	return 97;
}

static void
on_signal(int sig)
{
	char c = (char)sig;

	(void)!write(STDOUT_FILENO, "caught\n", 7);
	_exit(40 + c);
}

static int
do_catch(char **a)
{
	signal(atoi(a[0]), on_signal);
	return do_spin(a);
}

static int
do_fill(char **a)
{
	long n = atol(a[0]);

	while (n-- > 0 && putchar('x') != EOF)
		continue;
	return fflush(stdout) == EOF ? denied("write") : 0;
}

static int
do_alloc(char **a)
{
	size_t n = (size_t)atol(a[0]);
	char *p = malloc(n);

	if (p == NULL)
		return denied("malloc");
	memset(p, 1, n);
	printf("allocated %d\n", p[n / 2]);
	return 0;
}

static const struct {
	const char	*name;
	int		 words;
	int		(*f)(char **);
} deeds[] = {
	{ "alloc", 1, do_alloc },
	{ "args", 0, do_args },
	{ "cat", 0, do_cat },
	{ "catch", 1, do_catch },
	{ "connect", 2, do_connect },
	{ "cwd", 0, do_cwd },
	{ "env", 0, do_env },
	{ "err", 1, do_err },
	{ "exec", 1, do_exec },
	{ "exit", 1, do_exit },
	{ "fds", 0, do_fds },
	{ "fill", 1, do_fill },
	{ "fork", 0, do_fork },
	{ "kill", 1, do_kill },
	{ "list", 1, do_list },
	{ "read", 1, do_read },
	{ "spin", 0, do_spin },
	{ "write", 2, do_write },
};

int
main(int argc, char *argv[])
{
	if (argc == 1) {
		printf("hello from the program\n");
		return 0;
	}
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (strcmp(argv[1], deeds[i].name) == 0 &&
		    argc - 2 >= deeds[i].words)
			return deeds[i].f(argv + 2);
	fprintf(stderr, "bundle_probe: no deed %s\n", argv[1]);
	return 98;
}
