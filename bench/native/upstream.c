/*
 * An upstream that costs next to nothing: one thread, epoll, HTTP/1.1 with keep-alive.
 *
 *     upstream
 *
 * Listens on a free port of 127.0.0.1, prints it, and answers until it is killed. The first folder of the path says how:
 *
 *     /whole-D/...     one chat completion, after D milliseconds
 *     /stream-N-D/...  a chat completion as a stream: N pieces of text, each D milliseconds behind the one before;
 *                      D = 0: back to back, one send() each, over all connections in turn
 *     /status-S/...    an error with status S
 *
 * Every piece of text, and the text of a whole answer, holds one `~`, and nothing else that is sent does: whoever
 * counts them knows how many pieces have come through, in whatever protocol they arrive.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { PIECES = 64, MAX_CONNECTIONS = 65536, MAX_WAITING_BYTES = 256 * 1024, FIRST_READ_BYTES = 16 * 1024 };

enum kind { WHOLE, STREAM, STATUS };

struct bytes {
    char *data;
    size_t size, capacity;
};

struct connection {
    int fd;
    struct bytes in, out;
    bool writing; /* EPOLLOUT is asked for, because `out` holds what the kernel would not take */
    bool busy;    /* an answer is due or on its way */
    size_t slot;  /* where it stands in `busy_ones` */
    enum kind kind;
    int pieces, sent, status;
    int64_t delay_ns, due_ns;
};

static int poller, timer;
static struct connection *busy_ones[MAX_CONNECTIONS];
static size_t busy_count;

static struct bytes whole_answer, stream_head, role_event, stream_end, piece_events[PIECES];

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void append(struct bytes *to, const char *data, size_t size)
{
    if (to->size + size > to->capacity) {
        to->capacity = 2 * (to->size + size);
        to->data = realloc(to->data, to->capacity);
    }
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static void drop_front(struct bytes *from, size_t size)
{
    from->size -= size;
    memmove(from->data, from->data + size, from->size);
}

/* ---- what is sent ---- */

#define USAGE                                                                                                          \
    "\"usage\":{\"prompt_tokens\":119,\"completion_tokens\":50,\"total_tokens\":169,"                                  \
    "\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}"
#define CHUNK                                                                                                          \
    "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\","                   \
    "\"created\":1741570283,\"model\":\"gpt-4.1-mini-2025-04-14\",\"service_tier\":\"default\","                       \
    "\"system_fingerprint\":\"fp_44709d6fcb\","

static void append_chunk(struct bytes *to, const char *text)
{
    char size[24];
    append(to, size, (size_t)sprintf(size, "%zx\r\n", strlen(text)));
    append(to, text, strlen(text));
    append(to, "\r\n", 2);
}

static void prepare_answers(void)
{
    static const char body[] =
        "{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion\",\"created\":1741569952,"
        "\"model\":\"gpt-4.1-mini-2025-04-14\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":\"Hello~ How can I assist you today? I can help with questions, writing, code and a good many "
        "other things.\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}]," USAGE
        ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\"}";
    char text[1024];
    append(&whole_answer, text,
           (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                           strlen(body)));
    append(&whole_answer, body, strlen(body));
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                               "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
    append(&stream_head, head, strlen(head));
    append_chunk(&role_event, CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
                                    "\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n");
    for (int i = 0; i < PIECES; i++) {
        sprintf(text,
                CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word~%02d\"},\"logprobs\":null,"
                      "\"finish_reason\":null}],\"usage\":null}\n\n",
                i);
        append_chunk(&piece_events[i], text);
    }
    append_chunk(&stream_end, CHUNK "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"
                                    "\"finish_reason\":\"stop\"}],\"usage\":null}\n\n");
    append_chunk(&stream_end, CHUNK "\"choices\":[]," USAGE "}\n\n");
    append_chunk(&stream_end, "data: [DONE]\n\n");
    append(&stream_end, "0\r\n\r\n", 5);
}

/* ---- connections ---- */

static void watch(struct connection *c, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, operation, c->fd, &event);
}

static void set_busy(struct connection *c, bool busy)
{
    if (c->busy == busy)
        return;
    c->busy = busy;
    if (busy) {
        c->slot = busy_count;
        busy_ones[busy_count++] = c;
    } else {
        struct connection *last = busy_ones[--busy_count];
        busy_ones[c->slot] = last;
        last->slot = c->slot;
    }
}

static void hang_up(struct connection *c)
{
    set_busy(c, false);
    close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

/* Send, or keep what the kernel does not take. False: the other side has gone. */
static bool put(struct connection *c, const char *data, size_t size)
{
    if (c->out.size == 0) {
        ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
    }
    if (size > 0) {
        append(&c->out, data, size);
        if (!c->writing) {
            c->writing = true;
            watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        }
    }
    return true;
}

static bool flush(struct connection *c)
{
    ssize_t sent = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN;
    drop_front(&c->out, (size_t)sent);
    if (c->out.size == 0) {
        c->writing = false;
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
    }
    return true;
}

/* ---- requests ---- */

static bool put_error(struct connection *c)
{
    static const char body[] = "{\"error\":{\"message\":\"as asked for\",\"type\":\"server_error\"}}";
    char text[256];
    int size = sprintf(text,
                       "HTTP/1.1 %d Error\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       c->status, strlen(body), body);
    return put(c, text, (size_t)size);
}

/* One more piece of the answer that is due. False: the other side has gone. */
static bool advance(struct connection *c, int64_t now)
{
    if (c->kind == WHOLE) {
        set_busy(c, false);
        return put(c, whole_answer.data, whole_answer.size);
    }
    struct bytes *piece = &piece_events[c->sent++ % PIECES];
    if (!put(c, piece->data, piece->size))
        return false;
    if (c->sent >= c->pieces) {
        set_busy(c, false);
        return put(c, stream_end.data, stream_end.size);
    }
    c->due_ns += c->delay_ns;
    if (c->due_ns < now)
        c->due_ns = now;
    return true;
}

static bool understand(struct connection *c, const char *target, size_t size)
{
    char path[64] = "";
    int number = 0, delay_ms = 0;
    memcpy(path, target, size < sizeof path ? size : sizeof path - 1); /* sscanf wants an end */
    if (sscanf(path, "/whole-%d/", &delay_ms) == 1)
        c->kind = WHOLE;
    else if (sscanf(path, "/stream-%d-%d/", &number, &delay_ms) == 2)
        c->kind = STREAM;
    else if (sscanf(path, "/status-%d/", &number) == 1)
        c->kind = STATUS;
    else
        return false;
    c->pieces = c->status = number;
    c->sent = 0;
    c->delay_ns = delay_ms * INT64_C(1000000);
    return true;
}

/* Take one whole request out of what has come. 1: taken; 0: more must come; -1: hang up. */
static int take_request(struct connection *c)
{
    char *end = c->in.size ? memmem(c->in.data, c->in.size, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - c->in.data) + 4, body = 0;
    for (char *line = c->in.data; line < end; line = (char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1)
        if (strncasecmp(line, "content-length:", 15) == 0)
            body = strtoul(line + 15, NULL, 10);
    if (c->in.size < head + body)
        return 0;
    char *path = memchr(c->in.data, ' ', head);
    if (path == NULL || !understand(c, path + 1, (size_t)(end - path - 1)))
        return -1;
    drop_front(&c->in, head + body);
    if (c->kind == STATUS)
        return put_error(c) ? 1 : -1;
    if (c->kind == STREAM && !(put(c, stream_head.data, stream_head.size) && put(c, role_event.data, role_event.size)))
        return -1;
    c->due_ns = now_ns() + c->delay_ns;
    set_busy(c, true);
    if (c->kind == WHOLE && c->delay_ns == 0)
        return advance(c, c->due_ns) ? 1 : -1;
    return 1;
}

static bool take_requests(struct connection *c)
{
    int taken = 1;
    while (!c->busy && taken == 1)
        taken = take_request(c);
    return taken >= 0;
}

static bool receive(struct connection *c)
{
    if (c->in.capacity - c->in.size < FIRST_READ_BYTES) {
        c->in.capacity = 2 * (c->in.capacity + FIRST_READ_BYTES);
        c->in.data = realloc(c->in.data, c->in.capacity);
    }
    ssize_t size = recv(c->fd, c->in.data + c->in.size, c->in.capacity - c->in.size, 0);
    if (size <= 0)
        return size < 0 && errno == EAGAIN;
    c->in.size += (size_t)size;
    return take_requests(c);
}

/* ---- the loop ---- */

static void accept_all(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MAX_CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        watch(c, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void advance_all(void)
{
    int64_t now = now_ns();
    for (size_t i = busy_count; i-- > 0;) {
        if (i >= busy_count) /* the last one of the list has moved into the place of one that is ready */
            continue;
        struct connection *c = busy_ones[i];
        if (c->out.size > MAX_WAITING_BYTES || c->due_ns > now)
            continue;
        if (!advance(c, now) || (!c->busy && !take_requests(c)))
            hang_up(c);
    }
}

/* How long to wait for events, in milliseconds: 0 when a piece is overdue, else until the timer says that one is due. */
static int wait_for_next_piece(void)
{
    static int64_t armed = INT64_MAX;
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < busy_count; i++)
        if (busy_ones[i]->out.size <= MAX_WAITING_BYTES && busy_ones[i]->due_ns < next)
            next = busy_ones[i]->due_ns;
    if (next == INT64_MAX)
        return -1;
    if (next <= now_ns())
        return 0;
    if (next != armed) {
        struct itimerspec when = {.it_value = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
        armed = next;
    }
    return -1;
}

static int listen_on_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("listen");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    prepare_answers();
    int listener = listen_on_free_port();
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &timer;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    for (;;) {
        struct epoll_event events[512];
        int count = epoll_wait(poller, events, 512, wait_for_next_piece());
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].data.ptr == &listener) {
                accept_all(listener);
            } else if (events[i].data.ptr == &timer) {
                uint64_t ignored;
                (void)!read(timer, &ignored, sizeof ignored);
            } else if (((events[i].events & EPOLLOUT) && !flush(c)) || ((events[i].events & ~EPOLLOUT) && !receive(c))) {
                hang_up(c);
            }
        }
        advance_all();
    }
}
