"""The studio as a person finds it on a page of any host: its places by name, and what one does with them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

STUDIO = "import vidnb\nstudio = vidnb.Studio()\nstudio"
FAST = "import os; os.environ['VIDNB_EMULATOR_SPEED'] = '1000'\n"

PLAYS = """async video => {
    video.muted = true;
    await video.play();
    const from = video.currentTime;
    while (video.currentTime < from + 0.3 && !video.error) await new Promise(requestAnimationFrame);
    if (video.error) throw new Error(video.error.message);
    video.pause();
    return video.currentSrc;
}"""
SEEK = """(video, to) => new Promise(done => {
    video.onseeked = () => done(video.currentTime);
    video.currentTime = to;
})"""
PART = """async video => {
    const answer = await fetch(video.currentSrc, {headers: {Range: "bytes=1000-1999"}});
    return {status: answer.status, bytes: (await answer.arrayBuffer()).byteLength};
}"""


class StudioPage:
    """The studio inside `place`, a notebook's panel or a whole page."""

    def __init__(self, place: Locator) -> None:
        self.root = place.locator(".vidnb-studio")
        self.prompt = self.root.locator(".vidnb-form textarea").first
        self.generate = self.root.locator(".vidnb-generate .vidnb-primary")
        self.bar = self.root.locator(".vidnb-generate")
        self.about = self.root.locator(".vidnb-about").first
        self.jobs = self.root.locator(".vidnb-jobs .vidnb-progress")
        self.player = self.root.locator(".vidnb-root.vidnb-player")
        self.video = self.player.locator("video")

    def make(self, prompt: str) -> None:
        """Type a prompt and press Generate."""
        self.prompt.fill(prompt)
        self.generate.click()

    def wait_for_clip(self, prompt: str) -> None:
        """Wait until the player has the clip of this prompt, ready to play."""
        expect(self.player.locator(".vidnb-prompt")).to_have_text(prompt)
        expect(self.player).to_have_attribute("data-state", "ready")
        expect(self.player).to_have_attribute("data-rested", "true")

    def plays(self) -> str:
        """The address from which the player's clip plays; its own clock must advance."""
        return str(self.video.evaluate(PLAYS))

    def seek(self, to: float) -> float:
        """Where the playhead is after a jump to a second."""
        return float(self.video.evaluate(SEEK, to))

    def part(self) -> dict[str, Any]:
        """What the server answers when it is asked for a thousand bytes of the clip."""
        answer: dict[str, Any] = self.video.evaluate(PART)
        return answer
