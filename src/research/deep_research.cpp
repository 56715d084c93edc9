#include "research/deep_research.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "graph/state_graph.h"
#include "research/prompts.h"
#include "research/report_text.h"
#include "research/sentences.h"

namespace plimsoll::research {
namespace {

namespace asio = boost::asio;

struct State {
    std::string topic;
    std::string organization;
    std::vector<std::string> headings;  // what the collection has on the topic, best first
    std::vector<Query> queries;         // all so far: the plan's, then one a reflection
    std::vector<Evidence> evidence;
    std::vector<Section> sections;
    std::vector<std::string> notes;  // what went wrong, for the reader
    int reflections = 0;
    std::string report;
};

using Update = graph::Update<State>;

std::chrono::milliseconds to_duration(double seconds) { return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)); }

using Hits = Result<std::vector<retrieval::Hit>>;

// On the compute pool: a search reads the file and scans every vector.
asio::awaitable<Hits> search_collection(const retrieval::Collection& collection, std::string text, std::vector<float> vector, int count) {
    co_return collection.search(text, vector, count);
}

// The innermost headings of the chunks found, each once.
std::vector<std::string> headings_of(const Hits& hits) {
    std::vector<std::string> out;
    if (!hits) return out;
    for (const retrieval::Hit& hit : *hits) {
        const std::string& path = hit.chunk.heading;
        const std::size_t last = path.rfind(" > ");
        std::string heading = last == std::string::npos ? path : path.substr(last + 3);
        if (!heading.empty() && std::ranges::find(out, heading) == out.end()) out.push_back(std::move(heading));
    }
    return out;
}

std::vector<std::string> unused_headings(const State& state) {
    std::vector<std::string> out;
    for (const std::string& heading : state.headings)
        if (std::ranges::none_of(state.queries, [&](const Query& query) { return query.section == heading; })) out.push_back(heading);
    return out;
}

class DeepResearch : public functions::Function {
  public:
    static Result<std::unique_ptr<Function>> make(functions::Builder& builder, const json::object& settings);

    asio::awaitable<Result<json::value>> invoke(event::Context context, json::value input) override;

  private:
    DeepResearch(DeepResearchConfig config, llm::ChatModel& writer, llm::ChatModel& planner, llm::EmbeddingModel& embedder,
                 std::unique_ptr<retrieval::Collection> collection, net::IoPool& pool)
        : config_(std::move(config)),
          writer_(writer),
          planner_(planner),
          embedder_(embedder),
          collection_(std::move(collection)),
          pool_(pool) {}

    Result<void> build_graph();

    asio::awaitable<Result<Update>> plan(event::Context context, State state);
    asio::awaitable<Result<Update>> search(event::Context context, Query query);
    asio::awaitable<Result<Update>> write(event::Context context, std::pair<std::string, Evidence> work);
    asio::awaitable<Result<Update>> reflect(event::Context context, State state);
    Result<Update> finalize(const State& state) const;

    asio::awaitable<Hits> find_hits(event::Context context, Query query);
    // Waits for a model call; an error becomes a note.
    asio::awaitable<std::optional<std::string>> ask(event::Context context, llm::ChatModel& model, llm::ChatRequest request, double timeout,
                                                    std::string what, std::string& note);

    DeepResearchConfig config_;
    llm::ChatModel& writer_;
    llm::ChatModel& planner_;
    llm::EmbeddingModel& embedder_;
    std::unique_ptr<retrieval::Collection> collection_;
    net::IoPool& pool_;
    std::optional<graph::CompiledGraph<State>> graph_;
};

Result<std::unique_ptr<functions::Function>> DeepResearch::make(functions::Builder& builder, const json::object& settings) {
    auto config = deep_research_schema().parse(settings);
    if (!config) return fail(config.error());
    auto writer = builder.llm(config->llm_name);
    if (!writer) return fail(writer.error());
    auto planner = builder.llm(config->planner_llm_name.value_or(config->llm_name));
    if (!planner) return fail(planner.error());
    auto embedder = builder.embedder(config->embedder_name);
    if (!embedder) return fail(embedder.error());
    auto collection = retrieval::Collection::open(config->collection, (*embedder)->model());
    if (!collection) return fail(collection.error().with_context("collection"));
    // Ingesting is part of building: by the time a session runs the documents are searchable.
    if (config->documents) {
        const auto report = ingest(builder.pool(), builder.config().resolve(*config->documents), **collection, **embedder);
        if (!report) return fail(report.error().with_context("documents"));
        for (const auto& [name, error] : report->failures) log_warning("{}: {}", name, error.message);
    }
    auto made = std::unique_ptr<DeepResearch>(
        new DeepResearch(std::move(*config), **writer, **planner, **embedder, std::move(*collection), builder.pool()));
    PLIMSOLL_TRY(made->build_graph());
    return made;
}

Result<void> DeepResearch::build_graph() {
    graph::StateGraph<State> g;
    g.channel("topic", &State::topic);
    g.channel("organization", &State::organization);
    g.channel("headings", &State::headings);
    g.channel("queries", &State::queries, graph::append());
    g.channel("evidence", &State::evidence, graph::append());
    g.channel("sections", &State::sections, graph::append());
    g.channel("notes", &State::notes, graph::append());
    g.channel("reflections", &State::reflections);
    g.channel("report", &State::report);

    g.add_node("plan", [this](event::Context c, State s) { return plan(std::move(c), std::move(s)); });
    g.add_node<Query>("search", [this](event::Context c, Query q) { return search(std::move(c), std::move(q)); });
    g.add_node("outline", [](event::Context, State) -> Result<Update> { return Update(); });
    g.add_node<std::pair<std::string, Evidence>>(
        "write", [this](event::Context c, std::pair<std::string, Evidence> work) { return write(std::move(c), std::move(work)); });
    g.add_node("reflect", [this](event::Context c, State s) { return reflect(std::move(c), std::move(s)); });
    g.add_node("finalize", [this](event::Context, State s) { return finalize(s); });

    g.add_edge(graph::kStart, "plan");
    g.add_conditional_edges("plan", [](const State& state) {
        std::vector<graph::Target> targets;
        for (const Query& query : state.queries) targets.push_back(graph::send("search", query));
        return targets;
    });
    g.add_edge("search", "outline");
    g.add_conditional_edges("outline", [](const State& state) {
        const int round = state.queries.back().round;
        std::vector<graph::Target> targets;
        for (const Evidence& found : state.evidence)
            if (found.query.round == round) targets.push_back(graph::send("write", std::pair(state.topic, found)));
        return targets;
    });
    g.add_edge("write", "reflect");
    g.add_conditional_edges("reflect", [](const State& state) {
        // reflect() appends a query of a new round when it found a gap worth a search.
        const Query& last = state.queries.back();
        const bool is_searched = std::ranges::any_of(state.evidence, [&](const Evidence& e) { return e.query.round == last.round; });
        return is_searched ? graph::Target("finalize") : graph::send("search", last);
    });
    g.add_edge("finalize", graph::kEnd);
    auto compiled = g.compile();
    if (!compiled) return fail(compiled.error());
    graph_.emplace(std::move(*compiled));
    return {};
}

asio::awaitable<std::optional<std::string>> DeepResearch::ask(event::Context context, llm::ChatModel& model, llm::ChatRequest request,
                                                              double timeout, std::string what, std::string& note) {
    const event::Context limited = context.with_deadline(Deadline::after(to_duration(timeout)));
    auto answer = co_await model.chat(limited, std::move(request), [context, what](std::string_view piece, bool reasoning) {
        context.write_stream({{"piece", piece}, {"of", what}, {"reasoning", reasoning}});
    });
    if (answer) co_return std::move(answer->content);
    note = fmt::format("{} failed ({}): {}", what, to_string(answer.error().code), answer.error().message);
    co_return std::nullopt;
}

asio::awaitable<Result<Update>> DeepResearch::plan(event::Context context, State state) {
    // Looking before planning: a plan made of what the collection has finds something.
    const std::vector<std::string> headings = headings_of(co_await find_hits(context, {.text = state.topic}));
    std::string note;
    const auto text = co_await ask(context, planner_, plan_request(state.topic, state.organization, headings, config_.num_queries),
                                   config_.plan_timeout, "planning", note);
    std::vector<Query> queries;
    if (text) {
        auto parsed = parse_plan(*text, config_.num_queries);
        if (parsed)
            queries = std::move(*parsed);
        else
            note = "planning failed: " + parsed.error().message;
    }
    if (!note.empty()) context.write_stream({{"warning", note}, {"queries", json::array()}});
    complete_plan(state.topic, headings, config_.num_queries, queries);
    json::array listed;
    for (const Query& query : queries) listed.push_back({{"query", query.text}, {"section", query.section}});
    context.write_stream({{"queries", std::move(listed)}});
    // Without a plan and without a heading the question itself is the one thing to search for.
    if (queries.empty()) queries.push_back({.text = state.topic, .section = "Answer"});
    Update update;
    update.set(&State::headings, headings);
    update.set(&State::queries, std::move(queries));
    if (!note.empty()) update.set(&State::notes, {note});
    co_return update;
}

asio::awaitable<Hits> DeepResearch::find_hits(event::Context context, Query query) {
    event::ScopedSpan span(context, event::Category::tool, "collection_search", json::value(query.text));
    auto vectors = co_await embedder_.embed(span.context(), {query.text});
    // Without a vector the keywords still find something.
    std::vector<float> vector;
    if (vectors) vector = std::move(vectors->front());
    Hits hits = co_await asio::co_spawn(pool_.compute(), search_collection(*collection_, query.text, std::move(vector), config_.top_k),
                                        net::uncancelled());
    if (!hits) {
        span.fail(hits.error());
        co_return fail(hits.error());
    }
    json::array found;
    for (const retrieval::Hit& hit : *hits)
        found.push_back({{"document", hit.chunk.document}, {"page", hit.chunk.page}, {"score", hit.score}, {"text", hit.chunk.text}});
    span.set_output(std::move(found));
    span.end();
    co_return hits;
}

asio::awaitable<Result<Update>> DeepResearch::search(event::Context context, Query query) {
    Update update;
    Evidence evidence{query, {}};
    auto hits = co_await find_hits(context, {.text = query.text + " " + query.section});
    if (hits)
        evidence.hits = std::move(*hits);
    else
        update.set(&State::notes, {fmt::format("searching for \"{}\" failed: {}", query.text, hits.error().message)});
    update.set(&State::evidence, {std::move(evidence)});
    co_return update;
}

asio::awaitable<Result<Update>> DeepResearch::write(event::Context context, std::pair<std::string, Evidence> work) {
    const auto& [topic, evidence] = work;
    Update update;
    Section section{evidence.query.section, evidence.query.order, {}};
    const auto quotes = pick_quotes(evidence.query, evidence.hits, config_.quotes_per_section, 1);
    if (!quotes.empty()) {
        std::string note;
        const auto text = co_await ask(context, writer_, section_request(topic, evidence.query, quotes, config_.section_tokens),
                                       config_.write_timeout, "writing \"" + section.title + "\"", note);
        std::vector<std::string> seen;
        for (const Sentence& quote : quotes) seen.push_back(quote.text);
        if (text) section.sentences = keep_supported(split_sentences(*text), evidence.hits, seen);
        section.sentences.insert(section.sentences.end(), quotes.begin(), quotes.end());
        if (!note.empty()) {
            context.write_stream({{"warning", note}});
            update.set(&State::notes, {note});
        }
    }
    update.set(&State::sections, {std::move(section)});
    co_return update;
}

asio::awaitable<Result<Update>> DeepResearch::reflect(event::Context context, State state) {
    Update update;
    // A gap is worth a search only when the collection has something left on the topic.
    const std::vector<std::string> unused = unused_headings(state);
    if (state.reflections >= config_.num_reflections || unused.empty()) co_return update;
    const int round = state.reflections + 1;
    update.set(&State::reflections, round);
    std::string note;
    const auto text = co_await ask(context, planner_, reflection_request(state.topic, state.sections, unused_headings(state)),
                                   config_.plan_timeout, "reflecting", note);
    if (!text) {
        context.write_stream({{"warning", note}});
        update.set(&State::notes, {note});
        co_return update;
    }
    auto gap = parse_reflection(*text);
    const auto is_known = [&](const Query& query) {
        return content_words(query.text) == content_words(gap->text) || query.section == gap->section;
    };
    if (!gap || std::ranges::any_of(state.queries, is_known)) co_return update;
    gap->round = round;
    gap->order = static_cast<int>(state.queries.size());
    context.write_stream({{"gap", gap->text}});
    update.set(&State::queries, {std::move(*gap)});
    co_return update;
}

Result<Update> DeepResearch::finalize(const State& state) const {
    Update update;
    update.set(&State::report, assemble_report(state.topic, state.sections, state.evidence, state.notes).markdown);
    return update;
}

asio::awaitable<Result<json::value>> DeepResearch::invoke(event::Context context, json::value input) {
    State state;
    state.organization = config_.report_organization;
    if (input.is_object()) {
        state.topic = get_string(input, "topic").value_or(get_string(input, "input_message").value_or(""));
        if (const auto organization = get_string(input, "report_organization")) state.organization = *organization;
    } else {
        state.topic = to_text(input);
    }
    if (!has_words(state.topic)) co_return fail(ErrorCode::invalid_argument, "the question has no words");
    auto result = co_await graph_->invoke(context, std::move(state));
    if (!result) co_return fail(result.error());
    co_return json::value(result->report);
}

}  // namespace

const Schema<DeepResearchConfig>& deep_research_schema() {
    using C = DeepResearchConfig;
    static const auto instance =
        Schema<C>("functions", "deep_research", "answers a question with a cited report from a collection")
            .required("llm_name", &C::llm_name, "model that writes")
            .refers_to("llms")
            .field("planner_llm_name", &C::planner_llm_name, "model that plans and reflects; the writer when not set")
            .refers_to("llms")
            .required("embedder_name", &C::embedder_name, "model that embeds queries and chunks")
            .refers_to("embedders")
            .field("collection", &C::collection, "file of the collection, made when absent")
            .field("documents", &C::documents,
                   "folder to ingest before the first session (md, txt, html, pdf); unchanged files cost nothing")
            .field("num_queries", &C::num_queries, "queries of the plan, each a section")
            .range(1, 12)
            .field("num_reflections", &C::num_reflections, "rounds of looking for a gap")
            .range(0, 5)
            .alias("reflection_count")
            .field("top_k", &C::top_k, "chunks a search returns")
            .range(1, 50)
            .field("quotes_per_section", &C::quotes_per_section, "sentences quoted word for word")
            .range(1, 10)
            .field("section_tokens", &C::section_tokens, "upper bound of a section's written part")
            .range(16, 4096)
            .field("report_organization", &C::report_organization, "wished structure, told to the planner")
            .field("plan_timeout", &C::plan_timeout, "seconds for planning and for each reflection")
            .range(0.001, 3600)
            .field("write_timeout", &C::write_timeout, "seconds for a section")
            .range(0.001, 3600)
            .field("description", &C::description, "what the function is for, told to agents");
    return instance;
}

functions::FunctionTypes function_types() {
    return {{deep_research_schema().info(), [](functions::Builder& builder, const std::string&, const json::object& settings) {
                 return DeepResearch::make(builder, settings);
             }}};
}

namespace {

asio::awaitable<void> ingest_into(Result<retrieval::IngestReport>& report, std::filesystem::path folder, retrieval::Collection& collection,
                                  llm::EmbeddingModel& embedder, net::IoPool& pool, retrieval::OnProgress progress) {
    report = co_await retrieval::ingest_folder({}, std::move(folder), collection, embedder, pool, {}, std::move(progress));
}

}  // namespace

Result<retrieval::IngestReport> ingest(net::IoPool& pool, const std::filesystem::path& folder, retrieval::Collection& collection,
                                       llm::EmbeddingModel& embedder, retrieval::OnProgress progress) {
    Result<retrieval::IngestReport> report = fail(ErrorCode::internal, "ingest did not run");
    pool.run([&] { return ingest_into(report, folder, collection, embedder, pool, progress); });
    return report;
}

}  // namespace plimsoll::research
