//! Chromium without a window, with a driver of its own on a free port.

use std::io::{BufRead, BufReader, Cursor};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper::http::Method;
use png::ColorType;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::operated::PATIENCE;

const WIDTH: u32 = 1360;
const HEIGHT: u32 = 1180;

/// One page in a browser. The driver ends with it, and the browser with that.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
}

struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The same picture without transparency, with 32 shades of each colour, and
/// compressed as well as can be: the browser is in a hurry.
fn smaller(picture: &[u8]) -> Vec<u8> {
    let mut decoder = png::Decoder::new(Cursor::new(picture)).read_info().unwrap();
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
    let info = decoder.next_frame(&mut pixels).unwrap();
    let colours: Vec<u8> = match info.color_type {
        ColorType::Rgb => pixels,
        ColorType::Rgba => pixels.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        other => panic!("a picture of {other:?}"),
    };
    let colours: Vec<u8> = colours.into_iter().map(|shade| shade & 0xf8 | shade >> 5).collect();
    let mut packed = Vec::new();
    let mut encoder = png::Encoder::new(&mut packed, info.width, info.height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.write_header().unwrap().write_image_data(&colours).unwrap();
    packed
}

/// A command of this browser's own.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    pub(crate) async fn open(address: &str) -> Browser {
        let mut driver = Command::new("chromedriver");
        let driver = driver.arg("--port=0").stdout(Stdio::piped()).spawn();
        let mut driver = Driver(driver.expect("chromedriver is missing; `cargo xtask page` installs it"));
        let mut lines = BufReader::new(driver.0.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("the driver says on which port it listens").unwrap();
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').parse::<u16>().unwrap();
            }
        };
        // What else it says must not fill its pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let arguments = [
            "--headless=new",
            // The browser of a test shows one page of ours; in containers it runs as root.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            "--lang=en-GB",
        ];
        let wishes = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(wishes) = wishes else { unreachable!("an object is one") };
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wishes)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let browser = Browser { client, driver };
        let size = json!({ "width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false });
        browser.tell("Emulation.setDeviceMetricsOverride", size).await;
        browser.prefer("light").await;
        browser.client.goto(address).await.unwrap();
        browser
    }

    async fn tell(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Own { path: "goog/cdp/execute", body }).await.unwrap();
    }

    /// Light or dark.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tell("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = self.evaluate(&format!("return document.querySelector('{selector}').textContent")).await;
        text.as_str().unwrap().to_owned()
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Waits until an expression is true.
    pub(crate) async fn wait_for(&self, what: &str, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.evaluate(&format!("return {expression}")).await != json!(true) {
            if Instant::now() >= deadline {
                let shown = self.text("body").await;
                panic!("not in time: {what}; {:?}; {shown}", self.complaints().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As it is drawn next.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let drawn = "const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))), 150)";
        self.client.execute_async(drawn, Vec::new()).await.unwrap();
        smaller(&self.client.screenshot().await.unwrap())
    }

    /// What the browser has complained of since the last time it was asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let body = json!({ "type": "browser" });
        let entries = self.client.issue_cmd(Own { path: "se/log", body }).await.unwrap();
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
        drop(self.driver);
    }
}
