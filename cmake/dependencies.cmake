# What every target is compiled with, and the Debian libraries each module links.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(CAIRO REQUIRED IMPORTED_TARGET cairo)
pkg_check_modules(GUMBO REQUIRED IMPORTED_TARGET gumbo)

add_library(plimsoll_options INTERFACE)
target_include_directories(plimsoll_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(plimsoll_options INTERFACE -Wall -Wextra -Wno-missing-field-initializers
  -Wno-deprecated-declarations)  # libstdc++ 12 marks its own stable_sort buffer deprecated in C++23
target_compile_definitions(plimsoll_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  SPDLOG_FMT_EXTERNAL PLIMSOLL_VERSION="${PROJECT_VERSION}")
target_link_libraries(plimsoll_options INTERFACE Threads::Threads Boost::json Boost::url fmt::fmt spdlog::spdlog)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_link_options(plimsoll_options INTERFACE -fuse-ld=lld)
endif()
if(PLIMSOLL_SANITIZE)
  target_compile_options(plimsoll_options INTERFACE -fsanitize=${PLIMSOLL_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(plimsoll_options INTERFACE -fsanitize=${PLIMSOLL_SANITIZE})
endif()

# Libraries that only one module needs; everything else follows from src/layers.txt.
set(PLIMSOLL_LIBS_base ZLIB::ZLIB)
set(PLIMSOLL_LIBS_config yaml-cpp)
set(PLIMSOLL_LIBS_net CURL::libcurl)
set(PLIMSOLL_LIBS_retrieval SQLite::SQLite3 PkgConfig::GUMBO)
set(PLIMSOLL_LIBS_report PkgConfig::CAIRO)
