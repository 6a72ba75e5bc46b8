//! The JSON line that a peer prints at its end.

use std::io::Write;

use hdrhistogram::Histogram;

use crate::args::Args;
use crate::process::{Usage, began, threads};

/// The JSON line.
pub struct Report {
    out: String,
    size: usize,
}

impl Report {
    pub fn new(a: &Args, name: &str, version: &str) -> Report {
        let mut r = Report { out: String::from("{"), size: a.size };
        r.text("impl", name);
        r.text("version", version);
        r.text("role", &a.role);
        r.text("mode", &a.mode);
        r.text("transport", a.transport());
        r.int("size", a.size as i64);
        r.int("count", a.count as i64);
        r
    }

    fn key(&mut self, k: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.push_str(&format!("\"{k}\":"));
    }

    pub fn text(&mut self, k: &str, v: &str) {
        self.key(k);
        let v: String = v.chars().filter(|c| *c != '"' && *c != '\\' && !c.is_control()).collect();
        self.out.push_str(&format!("\"{v}\""));
    }

    pub fn int(&mut self, k: &str, v: i64) {
        self.key(k);
        self.out.push_str(&v.to_string());
    }

    pub fn num(&mut self, k: &str, v: f64) {
        self.key(k);
        let v = if v.is_finite() { v } else { 0.0 };
        self.out.push_str(&format!("{v:.6}"));
    }

    pub fn rate(&mut self, count: u64, secs: f64) {
        self.num("seconds", secs);
        self.num("msgs_per_s", count as f64 / secs);
        self.num("mb_per_s", count as f64 * self.size as f64 / secs / 1e6);
    }

    /// Percentiles, and the histogram itself, so that those of several runs can be added up.
    pub fn times(&mut self, nanos: &Histogram<u64>) {
        self.num("mean_us", nanos.mean() / 1e3);
        for (name, quantile) in [
            ("p50_us", 0.5),
            ("p90_us", 0.9),
            ("p99_us", 0.99),
            ("p999_us", 0.999),
            ("p9999_us", 0.9999),
        ] {
            self.num(name, nanos.value_at_quantile(quantile) as f64 / 1e3);
        }
        self.num("max_us", nanos.max() as f64 / 1e3);
        self.key("histogram");
        let counts: Vec<_> = nanos
            .iter_recorded()
            .map(|v| format!("[{},{}]", v.value_iterated_to(), v.count_at_value()))
            .collect();
        self.out.push_str(&format!("[{}]", counts.join(",")));
    }

    pub fn usage(&mut self, u0: Usage, u1: Usage) {
        self.num("cpu_user_s", u1.user - u0.user);
        self.num("cpu_sys_s", u1.sys - u0.sys);
        self.int("max_rss_kb", u1.max_rss_kb);
        self.int("vol_ctx_switches", u1.vcsw - u0.vcsw);
        self.int("invol_ctx_switches", u1.icsw - u0.icsw);
        self.int("threads", threads());
    }

    pub fn print(mut self) {
        self.out.push('}');
        println!("{}", self.out);
        let _ = std::io::stdout().flush();
    }
}

/// A sender's own line: what the process used from `u0` until now.
pub fn sender_report(a: &Args, name: &str, version: &str, u0: Usage) {
    let mut r = Report::new(a, name, version);
    r.usage(u0, Usage::now());
    let (main, attach) = began();
    r.int("t_main_ns", main as i64);
    r.int("t_attach_ns", attach as i64);
    r.print();
}
