/*
 * A load generator that costs next to nothing: one thread, epoll, closed loop, keep-alive.
 *
 *     load PORT CONNECTIONS SECONDS REQUESTS ORDER...
 *
 * Sends to 127.0.0.1 until SECONDS are over or REQUESTS are answered, whichever is first (0: no such end). An ORDER is
 * `FILE:STATUS:PIECES:CANCEL`: the bytes of one request; the status that its answer must have; how many `~` its answer
 * must hold (see upstream.c); and behind how many of them the connection is closed instead of read on (0: never).
 * Each connection goes through the orders in turn.
 *
 * Prints one line of JSON. Times are in microseconds. An answer that is not as ordered is a failure and has no time.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, MAX_HEAD_BYTES = 64 * 1024, LAST_ANSWERS_S = 15, SHOWN_BYTES = 300 };

struct order {
    char *data;
    size_t size;
    int status, pieces, cancel;
};

/* What comes next in an answer with `transfer-encoding: chunked`. */
enum chunk { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

struct connection {
    int fd;
    size_t next_order;
    struct order *order;
    bool done;
    char head[MAX_HEAD_BYTES];
    size_t head_size;
    bool in_body, chunked, until_close, close_after;
    int status, pieces;
    int64_t body_left; /* of the body, or of the chunk */
    enum chunk chunk;
    bool line_is_empty; /* of the trailer */
    int64_t sent_ns, first_piece_ns;
};

struct times {
    uint32_t *tenths_us;
    size_t count, capacity;
};

static struct sockaddr_in address;
static int poller;
static struct order *orders;
static size_t order_count;
static struct times whole, first_piece;
static int64_t started, failed, cancelled, pieces_seen, connected, most_requests;
static bool stopping;
static char first_failure[SHOWN_BYTES];

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void add(struct times *times, int64_t ns)
{
    if (times->count == times->capacity) {
        times->capacity = times->capacity ? 2 * times->capacity : 65536;
        times->tenths_us = realloc(times->tenths_us, times->capacity * sizeof *times->tenths_us);
    }
    times->tenths_us[times->count++] = (uint32_t)(ns / 100);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(const struct times *sorted, double share)
{
    return sorted->count ? sorted->tenths_us[(size_t)((double)(sorted->count - 1) * share)] / 10.0 : 0;
}

/* Keep why the first failure is one, in characters that need no escape in JSON. */
static void fail(const struct connection *c, const char *why)
{
    failed++;
    if (first_failure[0])
        return;
    snprintf(first_failure, sizeof first_failure, "%s; status %d, %d pieces; %.*s", why, c->status, c->pieces,
             (int)(c->head_size < 200 ? c->head_size : 200), c->head);
    for (char *p = first_failure; *p; p++)
        if (*p < ' ' || *p == '"' || *p == '\\' || (unsigned char)*p > '~')
            *p = ' ';
}

/* ---- requests ---- */

static void read_order(struct order *order, char *argument)
{
    char *rest = strchr(argument, ':');
    if (rest == NULL || sscanf(rest, ":%d:%d:%d", &order->status, &order->pieces, &order->cancel) != 3) {
        fprintf(stderr, "not an order: %s\n", argument);
        exit(1);
    }
    *rest = 0;
    FILE *file = fopen(argument, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(argument);
        exit(1);
    }
    order->size = (size_t)ftell(file);
    order->data = malloc(order->size + 1);
    rewind(file);
    if (fread(order->data, 1, order->size, file) != order->size)
        exit(1);
    fclose(file);
}

/* Send the next request, or be done. */
static void begin(struct connection *c)
{
    if (stopping || (most_requests && started >= most_requests)) {
        c->done = true;
        return;
    }
    started++;
    c->order = &orders[c->next_order++ % order_count];
    c->in_body = c->chunked = c->until_close = c->close_after = false;
    c->head_size = 0;
    c->status = c->pieces = 0;
    c->first_piece_ns = 0;
    c->sent_ns = now_ns();
    for (size_t at = 0; at < c->order->size;) { /* the socket blocks for writing: requests are small */
        ssize_t sent = send(c->fd, c->order->data + at, c->order->size - at, MSG_NOSIGNAL);
        if (sent < 0)
            break; /* the other side has closed: reading will tell */
        at += (size_t)sent;
    }
}

static void reconnect(struct connection *c)
{
    int one = 1;
    if (c->fd > 0)
        close(c->fd);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(2);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
    connected++;
    begin(c);
}

/* ---- answers ---- */

static void finish(struct connection *c)
{
    if (c->status != c->order->status)
        fail(c, "another status");
    else if (c->pieces != c->order->pieces)
        fail(c, "another number of pieces");
    else {
        add(&whole, now_ns() - c->sent_ns);
        if (c->first_piece_ns)
            add(&first_piece, c->first_piece_ns - c->sent_ns);
    }
    if (c->close_after && !stopping)
        reconnect(c);
    else
        begin(c);
}

static void count_pieces(struct connection *c, const char *data, size_t size)
{
    const char *end = data + size;
    while ((data = memchr(data, '~', (size_t)(end - data))) != NULL) {
        if (c->pieces++ == 0)
            c->first_piece_ns = now_ns();
        pieces_seen++;
        data++;
    }
}

/* Take in what is body of these bytes, by its length. True: the answer is whole. */
static bool take_plain(struct connection *c, const char *data, size_t size)
{
    count_pieces(c, data, size);
    if (c->until_close)
        return false;
    c->body_left -= (int64_t)size;
    return c->body_left <= 0;
}

/* The same for a chunked body. */
static bool take_chunked(struct connection *c, const char *data, size_t size)
{
    const char *end = data + size;
    while (data < end) {
        switch (c->chunk) {
        case CHUNK_DATA: {
            size_t part = (size_t)(end - data) < (size_t)c->body_left ? (size_t)(end - data) : (size_t)c->body_left;
            count_pieces(c, data, part);
            data += part;
            c->body_left -= (int64_t)part;
            if (c->body_left == 0)
                c->chunk = CHUNK_END;
            break;
        }
        case CHUNK_END:
            if (*data++ == '\n')
                c->chunk = CHUNK_SIZE;
            break;
        case CHUNK_SIZE: {
            char digit = *data++;
            if (digit >= '0' && digit <= '9')
                c->body_left = c->body_left * 16 + (digit - '0');
            else if ((digit | 32) >= 'a' && (digit | 32) <= 'f')
                c->body_left = c->body_left * 16 + ((digit | 32) - 'a' + 10);
            else if (digit == '\n') {
                c->chunk = c->body_left ? CHUNK_DATA : TRAILER;
                c->line_is_empty = true;
            }
            break;
        }
        case TRAILER: {
            char letter = *data++;
            if (letter == '\n' && c->line_is_empty)
                return true;
            c->line_is_empty = letter == '\n' || (letter == '\r' && c->line_is_empty);
            break;
        }
        }
    }
    return false;
}

/* Read status and framing once the head is whole. */
static void read_head(struct connection *c)
{
    c->in_body = true;
    c->status = c->head_size > 12 ? atoi(c->head + 9) : 0;
    c->body_left = 0;
    c->chunk = CHUNK_SIZE;
    bool has_length = false;
    char *end = c->head + c->head_size - 2;
    for (char *line = c->head; line < end; line = (char *)memchr(line, '\n', (size_t)(end - line)) + 1) {
        if (strncasecmp(line, "content-length:", 15) == 0) {
            has_length = true;
            c->body_left = atoll(line + 15);
        } else if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0) {
            c->chunked = true;
        } else if (strncasecmp(line, "connection: close", 17) == 0) {
            c->close_after = true;
        }
    }
    c->until_close = !has_length && !c->chunked;
}

/* How many of these bytes belong to the head; `in_body` says whether it has ended. */
static size_t take_head(struct connection *c, const char *data, size_t size)
{
    size_t before = c->head_size;
    size_t room = sizeof c->head - 1 - before;
    size_t copied = size < room ? size : room;
    memcpy(c->head + before, data, copied);
    c->head[before + copied] = 0;
    size_t from = before > 3 ? before - 3 : 0;
    char *end = memmem(c->head + from, before + copied - from, "\r\n\r\n", 4);
    if (end == NULL) {
        c->head_size += copied;
        return copied;
    }
    c->head_size = (size_t)(end - c->head) + 4;
    read_head(c);
    return c->head_size - before;
}

static void lost(struct connection *c)
{
    if (c->in_body && c->until_close) {
        c->close_after = true;
        finish(c);
        return;
    }
    fail(c, "the connection was closed");
    if (stopping)
        c->done = true;
    else
        reconnect(c);
}

static void receive(struct connection *c)
{
    static char buffer[READ_BYTES];
    ssize_t size = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        lost(c);
        return;
    }
    size_t at = c->in_body ? 0 : take_head(c, buffer, (size_t)size);
    if (!c->in_body)
        return;
    size_t left = (size_t)size - at;
    bool is_whole = c->chunked ? take_chunked(c, buffer + at, left) : take_plain(c, buffer + at, left);
    if (c->order->cancel && c->pieces >= c->order->cancel) {
        cancelled++;
        reconnect(c);
    } else if (is_whole) {
        finish(c);
    }
}

/* ---- the loop ---- */

static void print_result(double seconds)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    qsort(whole.tenths_us, whole.count, sizeof *whole.tenths_us, compare);
    qsort(first_piece.tenths_us, first_piece.count, sizeof *first_piece.tenths_us, compare);
    printf("{\"seconds\":%.4f,\"cpu_s\":%.4f,\"answered\":%zu,\"failed\":%ld,\"cancelled\":%ld,\"connections\":%ld,"
           "\"pieces\":%ld,\"p50_us\":%.1f,\"p99_us\":%.1f,\"first_piece_p50_us\":%.1f,\"first_piece_p99_us\":%.1f,"
           "\"first_failure\":\"%s\"}\n",
           seconds, cpu_s, whole.count, (long)failed, (long)cancelled, (long)connected, (long)pieces_seen,
           percentile_us(&whole, 0.5), percentile_us(&whole, 0.99), percentile_us(&first_piece, 0.5),
           percentile_us(&first_piece, 0.99), first_failure);
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 6) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS REQUESTS FILE:STATUS:PIECES:CANCEL...\n");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)atoi(arguments[1]))};
    size_t count = (size_t)atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    most_requests = atoll(arguments[4]);
    order_count = (size_t)argument_count - 5;
    orders = calloc(order_count, sizeof *orders);
    for (size_t i = 0; i < order_count; i++)
        read_order(&orders[i], arguments[5 + i]);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *connections = calloc(count, sizeof *connections);
    int64_t start = now_ns();
    int64_t end = seconds > 0 ? start + (int64_t)(seconds * 1e9) : INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        connections[i].next_order = i; /* so that all orders are there from the start */
        reconnect(&connections[i]);
    }
    for (size_t done = 0; done < count;) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c->done)
                receive(c);
        }
        int64_t now = now_ns();
        stopping = now >= end;
        if (stopping && now - end > LAST_ANSWERS_S * INT64_C(1000000000))
            break;
        done = 0;
        for (size_t i = 0; i < count; i++)
            done += connections[i].done;
    }
    for (size_t i = 0; i < count; i++)
        if (!connections[i].done)
            fail(&connections[i], "no whole answer in time");
    print_result((double)(now_ns() - start) / 1e9);
    return 0;
}
