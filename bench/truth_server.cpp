// A model server whose own times are the truth that load generators are held against: one thread, one epoll set, no library. It notes when
// the kernel had each request and when the first token of its answer went out, and how many answers were open at once.
//
//   truth_server TTFT_MS ITL_MS TOKENS      prints http://127.0.0.1:PORT, serves until it is killed
//
// POST anything: a chat completion, streamed when the body asks for it. GET /stats: what it saw since the last GET /stats, as JSON.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/arrival_clock.h"

namespace {

using plimsoll::net::ArrivalClock;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kToken =
    R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"truth","choices":[{"index":0,"delta":{"content":"word "}}]})";

std::string chunk(std::string_view text) {
    char size[20];
    const auto end = std::to_chars(size, size + sizeof size, text.size(), 16).ptr;
    return std::string(size, end).append("\r\n").append(text).append("\r\n");
}

struct Answers {
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string token = chunk(std::string(kToken) + "\n\n");
    std::string last;
    std::string whole;

    explicit Answers(int tokens) {
        const std::string usage = R"("usage":{"prompt_tokens":10,"completion_tokens":)" + std::to_string(tokens) + R"(,"total_tokens":)" +
                                  std::to_string(10 + tokens) + "}";
        last =
            chunk(
                R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"truth","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
                "\n\n") +
            chunk(R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"truth","choices":[],)" + usage + "}\n\n") +
            chunk("data: [DONE]\n\n") + "0\r\n\r\n";
        std::string text;
        for (int i = 0; i < tokens; ++i) text += "word ";
        const std::string body =
            R"({"id":"c","object":"chat.completion","created":1,"model":"truth","choices":[{"index":0,"message":{"role":"assistant","content":")" +
            text + R"("},"finish_reason":"stop"}],)" + usage + "}";
        whole = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
};

struct Connection {
    int fd = -1;
    std::uint64_t id = 0;
    std::string input;
    bool stream = false;
    int left = 0;  // tokens; 0: no answer under way
    Clock::time_point asked, due;
};

class Server {
  public:
    Server(double ttft_ms, double itl_ms, int tokens)
        : ttft_(to_span(ttft_ms)), itl_(to_span(itl_ms)), tokens_(tokens), answers_(tokens), set_(::epoll_create1(0)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        constexpr int kBacklog = 16'384;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, kBacklog) != 0) std::abort();
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        std::printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
        std::fflush(stdout);
        watch(listener_, 0);
    }

    void run() {
        for (;;) {
            std::array<epoll_event, 256> events;
            const int count = wait(events);
            const ArrivalClock clock;
            for (int i = 0; i < count; ++i) {
                const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
                if (id == 0)
                    accept_all();
                else if (const auto found = connections_.find(id); found != connections_.end())
                    read(*found->second, clock);
            }
            send_due();
        }
    }

  private:
    static Clock::duration to_span(double ms) {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(ms));
    }

    void watch(int fd, std::uint64_t id) {
        epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
        ::epoll_ctl(set_, EPOLL_CTL_ADD, fd, &event);
    }

    int wait(std::array<epoll_event, 256>& events) {
        timespec span{};
        const timespec* limit = nullptr;
        if (!due_.empty()) {
            const auto left = std::max(Clock::duration::zero(), due_.top().first - Clock::now());
            const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
            span = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
            limit = &span;
        }
        return ::epoll_pwait2(set_, events.data(), static_cast<int>(events.size()), limit, nullptr);
    }

    void accept_all() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
            if (fd < 0) return;
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            plimsoll::net::stamp_arrivals(fd);
            auto connection = std::make_unique<Connection>();
            connection->fd = fd;
            connection->id = ++last_id_;
            watch(fd, connection->id);
            connections_.emplace(connection->id, std::move(connection));
        }
    }

    void close(Connection& connection) {
        if (connection.left > 0) --open_;
        ::close(connection.fd);
        connections_.erase(connection.id);
    }

    void read(Connection& connection, const ArrivalClock& clock) {
        std::array<char, 16'384> buffer;
        Clock::time_point arrived;
        const ssize_t count = clock.receive(connection.fd, buffer, arrived);
        if (count == 0 || (count < 0 && errno != EAGAIN)) return close(connection);
        if (count < 0) return;
        connection.input.append(buffer.data(), static_cast<std::size_t>(count));
        const std::size_t head = connection.input.find("\r\n\r\n");
        if (head == std::string::npos) return;
        std::size_t length = 0;
        std::string lower = connection.input.substr(0, head);
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (const std::size_t at = lower.find("content-length:"); at != std::string::npos)
            length = std::strtoul(lower.c_str() + at + 15, nullptr, 10);
        if (connection.input.size() < head + 4 + length) return;
        if (connection.input.starts_with("GET /stats")) {
            send_stats(connection);
        } else {
            const std::string_view body = std::string_view(connection.input).substr(head + 4);
            connection.stream = body.contains("\"stream\":true") || body.contains("\"stream\": true");
            begin(connection, arrived);
        }
        connection.input.clear();
    }

    void begin(Connection& connection, Clock::time_point asked) {
        connection.asked = asked;
        connection.left = tokens_;
        connection.due = asked + ttft_ + (connection.stream ? Clock::duration::zero() : itl_ * (tokens_ - 1));
        peak_open_ = std::max(peak_open_, ++open_);
        due_.emplace(connection.due, connection.id);
    }

    void send_due() {
        const auto now = Clock::now();
        while (!due_.empty() && due_.top().first <= now) {
            const std::uint64_t id = due_.top().second;
            due_.pop();
            if (const auto found = connections_.find(id); found != connections_.end()) send_next(*found->second);
        }
    }

    void send_next(Connection& connection) {
        const bool first = !connection.stream || connection.left == tokens_;
        std::string out;
        if (!connection.stream) {
            out = answers_.whole;
            connection.left = 0;
        } else {
            if (first) out = answers_.head;
            // What is due already goes out together.
            const auto now = Clock::now();
            do {
                out += answers_.token;
                connection.due += itl_;
            } while (--connection.left > 0 && connection.due <= now);
            if (connection.left == 0) out += answers_.last;
        }
        if (first) {
            const double ms = std::chrono::duration<double, std::milli>(Clock::now() - connection.asked).count();
            first_ms_.push_back(ms);
        }
        if (::send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) return close(connection);
        if (connection.left > 0)
            due_.emplace(connection.due, connection.id);
        else
            --open_;
    }

    void send_stats(Connection& connection) {
        std::ranges::sort(first_ms_);
        double sum = 0;
        for (const double ms : first_ms_) sum += ms;
        const std::size_t n = first_ms_.size();
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        char body[320];
        const int size = std::snprintf(
            body, sizeof body, R"({"answers":%zu,"peak_open":%d,"ttft_mean_ms":%.4f,"ttft_p50_ms":%.4f,"ttft_p95_ms":%.4f,"cpu_s":%.3f})",
            n, peak_open_, n ? sum / static_cast<double>(n) : 0, n ? first_ms_[n / 2] : 0, n ? first_ms_[n * 95 / 100] : 0,
            static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
        const std::string out = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(size) +
                                "\r\n\r\n" + std::string(body, static_cast<std::size_t>(size));
        ::send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL);
        first_ms_.clear();
        peak_open_ = open_;
    }

    Clock::duration ttft_, itl_;
    int tokens_;
    Answers answers_;
    int set_, listener_ = -1;
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    using Due = std::pair<Clock::time_point, std::uint64_t>;
    std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
    int open_ = 0, peak_open_ = 0;
    std::vector<double> first_ms_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: truth_server TTFT_MS ITL_MS TOKENS\n");
        return 2;
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    Server(std::atof(argv[1]), std::atof(argv[2]), std::max(1, std::atoi(argv[3]))).run();
}
