"""Configuration, commands and rules."""

from kiosk.slugs.entry import NOBODY, Entry

SETUP: dict[str, Entry] = {
    "configuration_invalid": Entry("setup", NOBODY, ("the configuration has mistakes", "配置有误")),
    "configuration_missing": Entry("setup", NOBODY, ("the configuration file cannot be read", "无法读取配置文件")),
    "configuration_unknown_variable": Entry("setup", NOBODY, ("an unknown KIOSK_ variable is set", "存在未知的 KIOSK_ 变量")),
    "secret_missing": Entry("setup", NOBODY, ("a secret's file is missing", "缺少密钥文件")),
    "rule_invalid": Entry("setup", NOBODY, ("a rule does not compile", "规则无法编译")),
    "calendar_invalid": Entry("setup", NOBODY, ("a schedule, a holiday or the time zone is none", "日程、节假日或时区无效")),
    "address_in_use": Entry("setup", NOBODY, ("the web port is taken", "端口被占用")),
    "faults_invalid": Entry("setup", NOBODY, ("the sandbox's fault script has mistakes", "沙箱故障脚本有误")),
    "extra_missing": Entry("setup", NOBODY, ("an optional package is not installed", "缺少可选软件包")),
    "key_unusable": Entry("setup", NOBODY, ("not an Ed25519 key in PEM of the kind that is needed", "不是可用的 Ed25519 密钥")),
    "pin_unusable": Entry(
        "setup",
        NOBODY,
        ("a PIN must be of digits, long enough, and typed twice alike", "密码须为足够位数的数字，且两次输入一致"),
    ),
    "fetch_failed": Entry("setup", NOBODY, ("a model could not be downloaded", "模型下载失败")),
    "token_exposed": Entry(
        "setup", NOBODY, ("the admin token's file is not this user's alone, or empty", "管理令牌文件不安全或为空")
    ),
    "token_wrong": Entry("setup", NOBODY, ("no bearer token, or not the right one", "缺少管理令牌或令牌不正确")),
    "request_malformed": Entry("setup", NOBODY, ("not a request that is understood here", "请求格式不正确")),
    "portal_unknown": Entry("setup", NOBODY, ("there is no such portal", "没有这个门")),
    "command_expired": Entry(
        "setup", NOBODY, ("the command is too old, or good for more than a minute", "命令已过期，或有效期超过一分钟")
    ),
    "command_replayed": Entry("setup", NOBODY, ("this nonce was taken before", "命令重复提交")),
    "rule_test_invalid": Entry("setup", NOBODY, ("a rule test has mistakes", "规则测试有误")),
    "rule_tests_missing": Entry("setup", NOBODY, ("there are no rule tests", "没有规则测试")),
    "event_unknown": Entry("setup", NOBODY, ("the journal has no such decision", "日志中没有此决定")),
    "event_not_replayable": Entry(
        "setup", NOBODY, ("the journal keeps too little of this decision to make it again", "日志记录不全，无法重演该决定")
    ),
    "rules_not_reloadable": Entry(
        "setup", NOBODY, ("the daemon does not know where its rules come from: restart it", "无法重新加载规则，请重启")
    ),
    "system_incomplete": Entry("setup", NOBODY, ("system packages are missing", "缺少系统软件包")),
}
