// For tests: answers HTTP requests with bytes exactly as given, one thread a connection. Only tests include it.
#pragma once

#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace plimsoll::eval {

class RawServer {
    using Tcp = boost::asio::ip::tcp;

  public:
    // Body of a request, or its head when it has none -> bytes to send, in small pieces; empty = never answer. A connection stays open
    // unless `close_after`.
    using Answer = std::function<std::string(const std::string& request)>;

    explicit RawServer(Answer answer, bool close_after = false)
        : answer_(std::move(answer)), close_after_(close_after), acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {
        listener_ = std::thread([this] { listen(); });
    }

    ~RawServer() {
        ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
        listener_.join();
        {
            const std::lock_guard lock(mutex_);
            for (auto& socket : sockets_) ::shutdown(socket.native_handle(), SHUT_RDWR);
        }
        for (auto& thread : connections_) thread.join();
    }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

    std::vector<std::string> requests() {  // heads and bodies, in order of arrival
        const std::lock_guard lock(mutex_);
        return requests_;
    }

  private:
    void listen() {
        for (;;) {
            Tcp::socket socket(context_);
            boost::system::error_code error;
            acceptor_.accept(socket, error);
            if (error) return;
            const std::lock_guard lock(mutex_);
            sockets_.push_back(std::move(socket));
            connections_.emplace_back([this, &kept = sockets_.back()] { serve(kept); });
        }
    }

    void serve(Tcp::socket& socket) {
        std::string buffer;
        boost::system::error_code error;
        for (;;) {
            const std::size_t head = boost::asio::read_until(socket, boost::asio::dynamic_buffer(buffer), "\r\n\r\n", error);
            if (error) return;
            const std::size_t at = buffer.find("Content-Length: ");
            const std::size_t size = at < head ? std::stoul(buffer.substr(at + 16)) : 0;
            if (buffer.size() < head + size)
                boost::asio::read(socket, boost::asio::dynamic_buffer(buffer), boost::asio::transfer_exactly(head + size - buffer.size()),
                                  error);
            if (error) return;
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(buffer.substr(0, head + size));
            }
            const std::string bytes = answer_(size > 0 ? buffer.substr(head, size) : buffer.substr(0, head));
            buffer.erase(0, head + size);
            if (bytes.empty()) continue;  // the next read ends when the client gives up
            constexpr std::size_t kPiece = 1009;
            for (std::size_t sent = 0; sent < bytes.size() && !error; sent += kPiece)
                boost::asio::write(socket, boost::asio::buffer(bytes.substr(sent, kPiece)), error);
            if (error) return;
            if (close_after_) {
                ::shutdown(socket.native_handle(), SHUT_RDWR);
                return;
            }
        }
    }

    Answer answer_;
    bool close_after_;
    boost::asio::io_context context_;
    Tcp::acceptor acceptor_;
    std::mutex mutex_;
    std::list<Tcp::socket> sockets_;
    std::vector<std::string> requests_;
    std::vector<std::thread> connections_;
    std::thread listener_;
};

}  // namespace plimsoll::eval
