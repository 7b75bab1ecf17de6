"""The report in a real browser: it loads, points open, filters work, a phone can read it."""

import pytest

pytest.importorskip("selenium")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select


def css(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def shown(browser):
    """Return how many trials the explorer says it shows."""
    return int(css(browser, ".count").text.split(" of ")[0])


def test_it_loads_without_an_error_or_a_request(page, chromium):
    browser = chromium(page)
    assert browser.get_log("browser") == []
    sections = [s.get_attribute("id") for s in browser.find_elements(By.TAG_NAME, "section")]
    assert sections[0] == "front"
    assert {"progress", "map", "calibration", "workers", "failures", "environment"} <= set(sections)
    loaded = browser.execute_script("return performance.getEntriesByType('resource').length")
    assert loaded == 0


def test_text_of_the_run_stays_text(page, chromium):
    browser = chromium(page)
    assert browser.title == "first: report"
    assert "</script><script>" in css(browser, "#failures").text
    assert not browser.find_elements(By.CSS_SELECTOR, "main img")
    assert browser.get_log("browser") == []


def test_a_click_on_a_point_shows_its_architecture(page, chromium, finished):
    browser = chromium(page)
    panel = css(browser, "aside.trial")
    points = browser.find_elements(By.CSS_SELECTOR, ".front-point")
    other = next(
        p for p in points if p.get_attribute("data-trial") != panel.get_attribute("data-trial")
    )
    trial = int(other.get_attribute("data-trial"))
    ActionChains(browser).move_to_element(other).perform()
    row = finished.trials().set_index("trial").loc[trial]
    assert row["hash"][:10] in css(browser, "#tip").text
    other.click()
    for _ in points:  # points that lie on each other open one after the other
        if f"Trial {trial} {row['hash'][:10]}" in panel.text:
            break
        other.click()
    assert f"Trial {trial} {row['hash'][:10]}" in panel.text
    depth = row["architecture"]["l"]
    assert f"{depth} layers" in panel.text
    assert f"{row['glue']:.4f}" in panel.text
    graph = css(browser, "aside.trial svg.graph")
    assert graph.get_attribute("aria-label").startswith(f"Graph of {depth} layers")
    assert len(graph.find_elements(By.CSS_SELECTOR, "rect.block")) > 4


def test_a_dominated_point_opens_too(page, chromium):
    browser = chromium(page)
    chart = css(browser, "#front .chart")
    front = {
        p.get_attribute("data-trial") for p in browser.find_elements(By.CLASS_NAME, "front-point")
    }
    items = browser.execute_script("return arguments[0].items", chart)
    grey = next(i for i in items if str(i["trial"]) not in front)
    near = [i for i in items if (i["x"], i["y"]) == (grey["x"], grey["y"])]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    box = chart.size
    offset = grey["x"] - box["width"] / 2, grey["y"] - box["height"] / 2
    ActionChains(browser).move_to_element_with_offset(chart, *offset).click().perform()
    assert int(css(browser, "aside.trial").get_attribute("data-trial")) in {
        i["trial"] for i in near
    }


def test_the_keyboard_reaches_every_point(page, chromium):
    browser = chromium(page)
    chart = css(browser, "#front .chart")
    items = browser.execute_script("return arguments[0].items", chart)
    first = min(items, key=lambda i: (i["x"], i["y"]))["trial"]
    chart.send_keys(Keys.ARROW_RIGHT)
    assert f"Trial {first} " in css(browser, "#tip").text
    chart.send_keys(Keys.ENTER)
    assert css(browser, "aside.trial").get_attribute("data-trial") == str(first)


def test_filters(page, chromium, finished):
    browser = chromium(page)
    table = finished.trials()
    assert shown(browser) == len(table) == 24
    css(browser, ".filters input[value=failed]").click()
    assert shown(browser) == 22
    deepest = max(a["l"] for a in table["architecture"])
    Select(
        browser.find_elements(By.CSS_SELECTOR, ".filters fieldset:nth-of-type(2) select")[0]
    ).select_by_value(str(deepest))
    done = table[table["status"] == "done"]
    deep = done[[a["l"] == deepest for a in done["architecture"]]]
    assert shown(browser) == len(deep) < 22
    css(browser, ".reset").click()
    assert shown(browser) == 24
    middle = float(done["glue"].median())
    css(browser, ".filters input[type=number]").send_keys(f"{middle:.6f}")
    assert shown(browser) == (done["glue"] >= round(middle, 6)).sum() < 22
    css(browser, ".reset").click()
    with_attention = Select(css(browser, ".filters fieldset:first-of-type select"))
    with_attention.select_by_value("with")
    some = shown(browser)
    with_attention.select_by_value("without")
    assert some + shown(browser) == 24
    assert 0 < some < 24


def test_the_map_shows_what_passes_the_filters(page, chromium):
    browser = chromium(page)
    drawn = "return document.querySelector('#map .chart').items.length"
    browser.execute_script("document.querySelector('#map').scrollIntoView()")
    assert browser.execute_script(drawn) == 24
    browser.execute_script("document.querySelector('.filters input[value=failed]').click()")
    assert browser.execute_script(drawn) == 22


def test_other_columns_have_another_front(page, chromium, finished):
    browser = chromium(page)
    Select(browser.find_elements(By.CSS_SELECTOR, ".axes-row select")[0]).select_by_value("flops")
    front = {
        int(p.get_attribute("data-trial"))
        for p in browser.find_elements(By.CLASS_NAME, "front-point")
    }
    assert front == set(finished.pareto(flops="min", glue="max")["trial"])


def test_a_trial_opens_from_the_failures_and_closes(page, chromium):
    browser = chromium(page)
    css(browser, "#failures .link").click()
    dialog = css(browser, "#trial-dialog")
    assert dialog.is_displayed()
    assert "failed" in dialog.text
    dialog.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()


def test_a_phone_needs_no_sideways_scrolling(page, chromium):
    browser = chromium(page, width=375)
    browser.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert browser.find_elements(By.CSS_SELECTOR, "table.trials tbody tr")
    wide, window = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert (wide, window) == (375, 375)
    too_small = browser.execute_script(
        "return [...document.querySelectorAll('main p, main td, main th, main button')]"
        ".filter(e => e.offsetWidth && parseFloat(getComputedStyle(e).fontSize) < 12).length"
    )
    assert too_small == 0
    assert browser.get_log("browser") == []
