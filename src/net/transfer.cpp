#include "net/transfer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <limits>

namespace plimsoll::net {

namespace {

// Small enough that a thousand concurrent calls stay below 40 MB, large enough for any chunk of a token stream.
constexpr long kReceiveBufferBytes = 8 << 10;
constexpr long kUploadBufferBytes = 16 << 10;  // the least curl takes

std::string get_environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("!#$%&'*+-.^_`|~").contains(static_cast<char>(c));
    });
}

bool has_line_break_or_nul(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

bool starts_with_any_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && std::ranges::equal(text.substr(0, prefix.size()), prefix, [](unsigned char a, unsigned char b) {
               return std::tolower(a) == std::tolower(b);
           });
}

}  // namespace

CurlEnvironment CurlEnvironment::read() {
    CurlEnvironment out;
    // A CGI server puts a request's "Proxy:" header into HTTP_PROXY; there the variable is an attacker's.
    if (std::getenv("REQUEST_METHOD") == nullptr && std::getenv("http_proxy") == nullptr) out.http_proxy = get_environment("HTTP_PROXY");
    out.no_proxy = get_environment("no_proxy");
    if (out.no_proxy.empty()) out.no_proxy = get_environment("NO_PROXY");
    if (out.no_proxy != "*") out.no_proxy += (out.no_proxy.empty() ? "" : ",") + std::string("localhost,127.0.0.1,::1");
    out.ca_file = get_environment("SSL_CERT_FILE");
    return out;
}

Transfer::Transfer(const asio::any_io_executor& executor, HttpRequest request, OnData on_data)
    : request_(std::move(request)),
      on_data_(std::move(on_data)),
      easy_(curl_easy_init()),
      ended_(executor, asio::steady_timer::time_point::max()) {
    PLIMSOLL_CHECK(easy_ != nullptr, "out of memory");
}

Transfer& Transfer::of(CURL* easy) {
    Transfer* self = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
    return *self;
}

Result<void> Transfer::check_request() const {
    if (!starts_with_any_case(request_.url, "http://") && !starts_with_any_case(request_.url, "https://"))
        return fail(ErrorCode::invalid_argument, "a URL starts with http:// or https://");
    if (has_line_break_or_nul(request_.url)) return fail(ErrorCode::invalid_argument, "a URL holds a line break");
    if (!is_token(request_.method)) return fail(ErrorCode::invalid_argument, "the HTTP method is not a word");
    for (const auto& [name, value] : request_.headers)
        if (!is_token(name) || has_line_break_or_nul(value)) return fail(ErrorCode::invalid_argument, "malformed request header " + name);
    return {};
}

Result<void> Transfer::prepare(const CurlEnvironment& environment) {
    PLIMSOLL_TRY(check_request());
    CURL* const easy = easy_.get();
    if (request_.deadline.is_set()) {
        using std::chrono::milliseconds;
        const auto left = std::chrono::ceil<milliseconds>(request_.deadline.left());
        if (left <= milliseconds(0)) return fail(ErrorCode::timeout, where() + ": the deadline had passed before the request was sent");
        constexpr milliseconds::rep kLongest = std::numeric_limits<int>::max();  // 24 days; curl counts in int
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::min(left.count(), kLongest)));
    }
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, HttpClient::kMaxRedirects);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, environment.no_proxy.c_str());
    if (!environment.http_proxy.empty() && starts_with_any_case(request_.url, "http://"))
        curl_easy_setopt(easy, CURLOPT_PROXY, environment.http_proxy.c_str());
    if (!environment.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, environment.ca_file.c_str());
    if (!request_.verify_tls) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_text_);
    set_method();
    set_headers();
    return {};
}

bool Transfer::has_body() const {
    // These carry a Content-Length even when there is nothing to send.
    return !request_.body.empty() || request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH";
}

void Transfer::set_method() {
    CURL* const easy = easy_.get();
    const std::string& method = request_.method;
    if (method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (has_body()) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.c_str());  // not copied; request_ stays
        if (method != "POST") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
    } else if (method != "GET") {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
    }
}

void Transfer::set_headers() {
    const auto append = [this](const std::string& line) {
        curl_slist* const longer = curl_slist_append(header_list_.get(), line.c_str());
        PLIMSOLL_CHECK(longer != nullptr, "out of memory");
        std::ignore = header_list_.release();  // `longer` is the same list or the first of a new one
        header_list_.reset(longer);
    };
    for (const auto& [name, value] : request_.headers) {
        std::string line = name;
        if (value.empty()) {
            line += ';';  // curl's way to send an empty value; with a colon it would leave the header out
        } else {
            line.append(": ").append(value);
        }
        append(line);
    }
    if (has_body()) {
        append("Expect:");  // waiting for "100 Continue" costs a round trip or a second
        if (find_header(request_.headers, "Content-Type") == nullptr) append("Content-Type:");  // curl would claim it is a form
    }
    curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, header_list_.get());
}

std::size_t Transfer::on_header(char* bytes, std::size_t /*size*/, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.header_bytes_ += count;
    if (transfer.header_bytes_ > HttpClient::kMaxHeaderBytes) {
        transfer.stop_ = Stop::by_header_limit;
        return 0;
    }
    transfer.take_header_line({bytes, count});
    return count;
}

void Transfer::take_header_line(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // the first line of an answer, of which redirects bring several
        response_ = {};
        header_complete_ = false;
        const std::size_t space = line.find(' ');
        if (space != std::string_view::npos) std::from_chars(line.data() + space + 1, line.data() + line.size(), response_.status);
        return;
    }
    if (trim(line).empty()) {
        header_complete_ = true;
        return;
    }
    if ((line.starts_with(' ') || line.starts_with('\t')) && !response_.headers.empty()) {
        response_.headers.back().second.append(" ").append(trim(line));
        return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    response_.headers.emplace_back(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
}

std::size_t Transfer::on_body(char* bytes, std::size_t /*size*/, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
        // Any number but `count` makes curl give up.
        return transfer.take_body({bytes, count}) ? count : CURL_WRITEFUNC_ERROR;
    } catch (...) {
        // libcurl is C: the exception waits for take_result().
        transfer.exception_ = std::current_exception();
        transfer.stop_ = Stop::by_exception;
        return CURL_WRITEFUNC_ERROR;
    }
}

bool Transfer::take_body(std::string_view piece) {
    body_bytes_ += piece.size();
    if (body_bytes_ > request_.max_response_bytes) {
        stop_ = Stop::by_body_limit;
        return false;
    }
    if (on_data_ && response_.status >= 200 && response_.status < 300) {
        if (on_data_(piece)) return true;
        stop_ = Stop::by_consumer;
        return false;
    }
    response_.body += piece;
    return true;
}

void Transfer::finish(CURLcode code) {
    code_ = code;
    finished_ = true;
    ended_.cancel();
}

Result<HttpResponse> Transfer::take_result() {
    PLIMSOLL_CHECK(finished_, "the transfer is still under way");
    if (exception_) std::rethrow_exception(exception_);
    if (stop_ != Stop::by_consumer && code_ != CURLE_OK) return fail(error_of(code_));
    // curl forgives a connection that closes within the header.
    if (!header_complete_) return fail(ErrorCode::bad_response, where() + ": the answer's header is cut short");
    if (const std::string* value = find_header(response_.headers, "Retry-After"))
        response_.retry_after_s = parse_retry_after(*value, std::time(nullptr));
    return std::move(response_);
}

Error Transfer::error_of(CURLcode code) const {
    if (stop_ == Stop::by_body_limit)
        return {ErrorCode::limit, where() + ": the answer exceeds " + std::to_string(request_.max_response_bytes) + " bytes"};
    if (stop_ == Stop::by_header_limit)
        return {ErrorCode::limit, where() + ": the answer's headers exceed " + std::to_string(HttpClient::kMaxHeaderBytes) + " bytes"};
    const std::string message = where() + ": " + (curl_text_[0] != '\0' ? curl_text_ : curl_easy_strerror(code));
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT: return {ErrorCode::timeout, message};
        case CURLE_URL_MALFORMAT:  // of a redirect it is the server's fault
            return {response_.status == 0 ? ErrorCode::invalid_argument : ErrorCode::bad_response, message};
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_PROXY:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR: return {ErrorCode::connect, message};
        case CURLE_OUT_OF_MEMORY:  // what curl 7 calls a header line beyond its own bound of 100 kB
            return {ErrorCode::limit, message};
        default: return {ErrorCode::bad_response, message};
    }
}

// "host:port" of the request.
std::string Transfer::where() const {
    const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
    if (curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), 0) != CURLUE_OK) return "HTTP request";
    std::string out;
    for (const CURLUPart part : {CURLUPART_HOST, CURLUPART_PORT}) {
        char* text = nullptr;
        if (curl_url_get(url.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) continue;
        out.append(out.empty() ? "" : ":").append(text);
        curl_free(text);
    }
    return out;
}

double parse_retry_after(std::string_view value, std::int64_t now) {
    value = trim(value);
    double seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error == std::errc() && end == value.data() + value.size()) return std::isfinite(seconds) && seconds >= 0 ? seconds : -1;
    const std::time_t date = curl_getdate(std::string(value).c_str(), nullptr);
    return date < 0 ? -1 : static_cast<double>(std::max<std::int64_t>(0, date - now));
}

}  // namespace plimsoll::net
