#include "report/page_style.h"

namespace plimsoll::report {

const std::string_view kPageStyle = R"(
:root{color-scheme:light dark;--ink:#1f2937;--muted:#6b7280;--rule:#e5e7eb;--accent:#2b6cb0;--page:#f3f4f6;--panel:#fff;
--llm:#2b6cb0;--tool:#2f855a;--function:#dd8b20;--workflow:#6b7280;--other:#6b46c1;--failed:#c53030}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 20px 64px}
header h1{margin:0;font-size:1.15rem;color:var(--muted);font-weight:600}
.headline{margin:.35rem 0 1.4rem;font-size:1.75rem;line-height:1.25;font-weight:650;max-width:46ch}
.facts{display:flex;flex-wrap:wrap;gap:12px;margin:0 0 24px;padding:0;list-style:none}
.facts li{flex:1 1 150px;background:var(--panel);border:1px solid var(--rule);border-radius:8px;padding:12px 16px}
.facts b{display:block;font-size:1.35rem;line-height:1.3}
.facts span{color:var(--muted);font-size:.85rem}
nav{margin:0 0 20px;font-size:.9rem}
nav a{color:var(--accent);margin-right:14px}
section{background:var(--panel);border:1px solid var(--rule);border-radius:8px;padding:20px 24px;margin:0 0 20px}
h2{margin:0 0 .6rem;font-size:1.15rem}
h3{margin:1.3rem 0 .3rem;font-size:1rem}
p{margin:.4rem 0;max-width:80ch}
.note{color:var(--muted);font-size:.85rem}
svg{display:block;width:100%;height:auto}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:16px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;min-width:50%}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
th.t,td.t{text-align:left}
td.t{max-width:44ch;overflow:hidden;text-overflow:ellipsis}
th{color:var(--muted);font-weight:600}
.legend{color:var(--muted);font-size:.85rem;max-width:none}
.legend i{display:inline-block;width:11px;height:11px;margin:0 5px 0 14px;vertical-align:-1px}
.legend i:first-child{margin-left:0}
.legend .path{border:2px solid var(--ink)}
details{margin-top:12px}
summary{cursor:pointer;color:var(--accent)}
.document{border-left:3px solid var(--rule);padding-left:18px;margin-top:10px}
.document h1{font-size:1.15rem}.document h2{font-size:1rem;margin-top:1rem}
blockquote{margin:.5rem 0;padding-left:12px;border-left:3px solid var(--rule);color:var(--muted)}
footer{color:var(--muted);font-size:.85rem}
footer dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}
dd{margin:0;overflow-wrap:anywhere}
@media(max-width:520px){.pair{grid-template-columns:1fr}.headline{font-size:1.35rem}}
@media print{section{break-inside:avoid}}
@media screen and (prefers-color-scheme:dark){
:root{--ink:#e5e7eb;--muted:#9ca3af;--rule:#374151;--accent:#7db5ee;--page:#0b1120;--panel:#151e2e;
--llm:#63a4e8;--tool:#57b98a;--function:#e9a44a;--workflow:#9ca3af;--other:#a78bfa;--failed:#f87171}
[fill="#1f2937"]{fill:#e5e7eb}[stroke="#1f2937"]{stroke:#e5e7eb}
[fill="#6b7280"]{fill:#9ca3af}[stroke="#6b7280"]{stroke:#9ca3af}
[fill="#e5e7eb"]{fill:#374151}[stroke="#e5e7eb"]{stroke:#374151}
[fill="#2b6cb0"]{fill:#63a4e8}[stroke="#2b6cb0"]{stroke:#63a4e8}
[fill="#2f855a"]{fill:#57b98a}[stroke="#2f855a"]{stroke:#57b98a}
[fill="#dd8b20"]{fill:#e9a44a}[stroke="#dd8b20"]{stroke:#e9a44a}
[fill="#6b46c1"]{fill:#a78bfa}[stroke="#6b46c1"]{stroke:#a78bfa}
[fill="#c53030"]{fill:#f87171}[stroke="#c53030"]{stroke:#f87171}
[fill="#0e7c86"]{fill:#4fd1c5}[stroke="#0e7c86"]{stroke:#4fd1c5}
[fill="#fefefe"]{fill:#0b1120}[stroke="#fefefe"]{stroke:#151e2e}
}
)";

}  // namespace plimsoll::report
