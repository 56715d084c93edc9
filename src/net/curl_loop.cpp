#include "net/curl_loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

namespace plimsoll::net {

// A descriptor asio watches for curl. It stays registered while a connection is idle, so that reuse costs no system call.
struct CurlLoop::Socket {
    explicit Socket(const asio::any_io_executor& executor) : descriptor(executor) {}

    asio::posix::stream_descriptor descriptor;
    int wanted = 0;               // CURL_POLL_IN | CURL_POLL_OUT
    int pending = 0;              // directions with a wait under way
    bool opened_by_loop = false;  // closed by close_socket(); others (the resolver's) are only lent to us
};

CurlLoop::CurlLoop(asio::any_io_executor executor, OnDone on_done)
    : executor_(executor), on_done_(std::move(on_done)), timer_(std::in_place, executor) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_ALL);
    PLIMSOLL_CHECK(initialised == CURLE_OK, curl_easy_strerror(initialised));
    multi_ = curl_multi_init();
    PLIMSOLL_CHECK(multi_ != nullptr, "out of memory");
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kMaxConnections);
}

CurlLoop::~CurlLoop() { close(); }

void CurlLoop::close() {
    if (multi_ == nullptr) return;
    *alive_ = false;
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
    curl_multi_cleanup(multi_);
    multi_ = nullptr;
    timer_.reset();
    for (auto& [fd, socket] : sockets_)
        if (!socket->opened_by_loop) socket->descriptor.release();
    sockets_.clear();
}

void CurlLoop::prepare(CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlLoop::open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlLoop::close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

CURLMcode CurlLoop::add(CURL* easy) { return curl_multi_add_handle(multi_, easy); }

void CurlLoop::remove(CURL* easy) { curl_multi_remove_handle(multi_, easy); }

curl_socket_t CurlLoop::open_socket(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    auto& loop = *static_cast<CurlLoop*>(self);
    auto socket = std::make_shared<Socket>(loop.executor_);
    socket->opened_by_loop = true;
    boost::system::error_code error;
    socket->descriptor.assign(fd, error);
    if (error) {
        ::close(fd);
        return CURL_SOCKET_BAD;
    }
    loop.sockets_[fd] = std::move(socket);
    return fd;
}

int CurlLoop::close_socket(void* self, curl_socket_t fd) {
    auto& sockets = static_cast<CurlLoop*>(self)->sockets_;
    const auto found = sockets.find(fd);
    if (found == sockets.end()) return ::close(fd);
    found->second->wanted = 0;
    boost::system::error_code error;
    found->second->descriptor.close(error);
    sockets.erase(found);
    return error ? 1 : 0;
}

int CurlLoop::on_socket(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* /*assigned*/) {
    static_cast<CurlLoop*>(self)->watch(fd, what);
    return 0;
}

void CurlLoop::watch(curl_socket_t fd, int what) {
    auto found = sockets_.find(fd);
    if (what == CURL_POLL_REMOVE) {
        if (found == sockets_.end()) return;
        Socket& socket = *found->second;
        socket.wanted = 0;
        if (socket.opened_by_loop) {
            // An idle connection must not keep the io_context busy.
            if (socket.pending != 0) socket.descriptor.cancel();
        } else {
            socket.descriptor.release();
            sockets_.erase(found);
        }
        return;
    }
    if (found == sockets_.end()) {
        auto lent = std::make_shared<Socket>(executor_);
        boost::system::error_code error;
        lent->descriptor.assign(fd, error);
        if (error) return;  // the resolver also asks for a timer, so its answer is only noticed later
        found = sockets_.emplace(fd, std::move(lent)).first;
    }
    const std::shared_ptr<Socket>& socket = found->second;
    socket->wanted = what;
    for (const int direction : {CURL_POLL_IN, CURL_POLL_OUT})
        if ((what & direction) != 0) wait(socket, direction);
}

// Waits once; the handler waits again for as long as curl wants it.
void CurlLoop::wait(const std::shared_ptr<Socket>& socket, int direction) {
    if ((socket->pending & direction) != 0) return;
    socket->pending |= direction;
    const bool in = direction == CURL_POLL_IN;
    socket->descriptor.async_wait(in ? asio::posix::stream_descriptor::wait_read : asio::posix::stream_descriptor::wait_write,
                                  [this, alive = alive_, socket, direction, in](boost::system::error_code error) {
                                      socket->pending &= ~direction;
                                      if (!*alive || (socket->wanted & direction) == 0) return;
                                      // Aborted means: idle, and wanted again before this handler ran. Only wait anew.
                                      if (error != asio::error::operation_aborted)
                                          act(socket->descriptor.native_handle(), in ? CURL_CSELECT_IN : CURL_CSELECT_OUT);
                                      if (*alive && (socket->wanted & direction) != 0) wait(socket, direction);
                                  });
}

int CurlLoop::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
    static_cast<CurlLoop*>(self)->set_timer(timeout_ms);
    return 0;
}

void CurlLoop::set_timer(long timeout_ms) {
    if (timeout_ms < 0) {
        timer_->cancel();
        return;
    }
    if (timeout_ms > 0) {
        timer_->expires_after(std::chrono::milliseconds(timeout_ms));
        timer_->async_wait([this, alive = alive_](boost::system::error_code error) {
            if (!error && *alive) act(CURL_SOCKET_TIMEOUT, 0);
        });
        return;
    }
    // "At once", which every new transfer asks for: a posted handler is cheaper than a timer.
    timer_->cancel();
    if (timer_posted_) return;
    timer_posted_ = true;
    asio::post(executor_, [this, alive = alive_] {
        if (!*alive) return;
        timer_posted_ = false;
        act(CURL_SOCKET_TIMEOUT, 0);
    });
}

void CurlLoop::act(curl_socket_t fd, int events) {
    int running = 0;
    curl_multi_socket_action(multi_, fd, events, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        CURL* const easy = message->easy_handle;
        const CURLcode code = message->data.result;  // the message dies with the removal
        curl_multi_remove_handle(multi_, easy);
        on_done_(easy, code);
    }
}

}  // namespace plimsoll::net
