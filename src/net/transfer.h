// One HTTP exchange as libcurl sees it: a request turned into options of an easy handle, and an answer collected from its
// callbacks. Made by HttpClient for each call; knows nothing of asio but the timer its caller waits on.
#pragma once

#include <curl/curl.h>

#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_client.h"

namespace plimsoll::net {

// What the environment says, read once per client.
struct CurlEnvironment {
    std::string http_proxy;  // HTTP_PROXY; curl itself reads the lower-case spelling only
    std::string no_proxy;
    std::string ca_file;

    static CurlEnvironment read();
};

class Transfer {
  public:
    using OnData = std::function<bool(std::string_view)>;

    // `on_data` may be empty: the body is then kept.
    Transfer(const asio::any_io_executor& executor, HttpRequest request, OnData on_data);
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    // Sets the handle up; before the transfer starts. Errors: invalid_argument, timeout (the deadline has passed already).
    Result<void> prepare(const CurlEnvironment& environment);
    // curl is done with the handle: wakes the one who waits on ended().
    void finish(CURLcode code);
    bool finished() const { return finished_; }
    // Never expires; cancelled by finish().
    asio::steady_timer& ended() { return ended_; }
    // After finish(), once. Throws what `on_data` threw.
    Result<HttpResponse> take_result();

    CURL* easy() const { return easy_.get(); }
    static Transfer& of(CURL* easy);

  private:
    struct FreeEasy {
        void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    };
    struct FreeList {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    enum class Stop : std::uint8_t { none, by_consumer, by_body_limit, by_header_limit, by_exception };

    static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);

    Result<void> check_request() const;
    bool has_body() const;
    void set_method();
    void set_headers();
    void take_header_line(std::string_view line);
    bool take_body(std::string_view piece);
    Error error_of(CURLcode code) const;
    std::string where() const;

    HttpRequest request_;
    OnData on_data_;
    HttpResponse response_;
    std::unique_ptr<CURL, FreeEasy> easy_;
    std::unique_ptr<curl_slist, FreeList> header_list_;
    asio::steady_timer ended_;
    std::exception_ptr exception_;
    std::size_t header_bytes_ = 0;
    std::size_t body_bytes_ = 0;
    CURLcode code_ = CURLE_OK;
    Stop stop_ = Stop::none;
    bool header_complete_ = false;
    bool finished_ = false;
    char curl_text_[CURL_ERROR_SIZE] = {};
};

// Seconds from `now` (Unix time) that a Retry-After value asks to wait: delta seconds or an HTTP date (RFC 9110, section
// 10.2.3). 0 for a date in the past, -1 for anything else.
double parse_retry_after(std::string_view value, std::int64_t now);

}  // namespace plimsoll::net
